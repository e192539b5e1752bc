use std::time::{Duration, SystemTime};

use http::{Method, Request, header::AUTHORIZATION};
use reqwest::Url;

use super::Signer;
use crate::metrics::provider::server::secrets;

/// 2015-08-30T12:36:00Z, the time of all published examples.
const AT: Duration = Duration::from_mins(24_015_636);

#[test]
fn signatures_are_those_that_aws_publishes() {
    // Of AWS's signing test suite: method, path and query, session token, signature.
    let cases = [
        (Method::GET, "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            Method::GET,
            "/?Param2=value2&Param1=value1",
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Method::GET,
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (Method::POST, "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            Method::POST,
            "/?Param1=value1",
            "",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (
            Method::GET,
            "/",
            "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
    ];
    for (method, path, token, signature) in cases {
        let mut keys = vec![
            ("access-key-id", "AKIDEXAMPLE"),
            ("secret-access-key", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        ];
        let mut headers = "host;x-amz-date".to_owned();
        if !token.is_empty() {
            keys.push(("session-token", token));
            headers += ";x-amz-security-token";
        }
        let secrets = secrets(&[("aws", &keys)]);
        let signer = Signer::new("auth", "us-east-1", "service", "aws", &mut secrets.reading());
        let url = Url::parse(&format!("https://example.amazonaws.com{path}")).expect("a URL");
        let mut request = Request::new(Vec::new());
        *request.method_mut() = method;
        let signer = signer.expect("a signer");
        signer.sign(&mut request, &url, SystemTime::UNIX_EPOCH + AT).expect("a signature");
        let value = request.headers().get(AUTHORIZATION).expect("a header");
        let expect = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={headers}, Signature={signature}"
        );
        assert_eq!(value.to_str().expect("text"), expect, "{path}");
        assert!(value.is_sensitive());
    }
}

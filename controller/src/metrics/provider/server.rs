//! Servers for tests, on loopback, with and without TLS; and the Secrets to reach them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, response::IntoResponse, serve::Listener};
use http::{HeaderMap, Method, StatusCode, Uri};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Egress, Provider, Secrets, Surroundings};
use crate::shelf::Shelf;

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// Status, headers and body of an answer.
pub(super) type Answer = (u16, Vec<(&'static str, String)>, String);

/// A vector of one number, as Prometheus answers.
pub(super) fn one() -> Answer {
    let result = r#"[{"metric":{},"value":[1700000000,"0.25"]}]"#;
    let data = format!(r#"{{"resultType":"vector","result":{result}}}"#);
    (200, Vec::new(), format!(r#"{{"status":"success","data":{data}}}"#))
}

pub(super) struct Server {
    pub(super) at: SocketAddr,
    pub(super) asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// A server that answers with what this function says.
    pub(super) async fn start(
        answer: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("its address");
        Self::serve(at, listener, answer)
    }

    /// The same with TLS.
    pub(super) async fn start_tls(
        config: ServerConfig,
        answer: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("its address");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(at, TlsListener { listener, acceptor }, answer)
    }

    fn serve<L: Listener<Addr = SocketAddr>>(
        at: SocketAddr,
        listener: L,
        answer: impl Fn(&Asked) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let app = Router::new().fallback(
            move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
                let body = String::from_utf8(body.to_vec()).expect("text");
                let request = Asked { method, uri, headers, body };
                let (status, headers, body) = answer(&request);
                log.lock().expect("the log").push(request);
                let mut response = body.into_response();
                *response.status_mut() = StatusCode::from_u16(status).expect("a status");
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().expect("a header"));
                }
                async move { response }
            },
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.expect("a server") });
        Self { at, asked, _tasks: tasks }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.at)
    }

    /// The last request.
    pub(super) fn last(&self) -> Asked {
        self.asked.lock().expect("the log").last().cloned().expect("a request")
    }

    pub(super) fn count(&self) -> usize {
        self.asked.lock().expect("the log").len()
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, at) = self.listener.accept().await.expect("a connection");
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, at);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A certificate authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key for a name, in PEM.
    pub(super) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A server for 127.0.0.1; it asks for client certificates of `clients`.
    pub(super) fn server(&self, clients: Option<&Self>) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        builder.with_single_cert(vec![certificate.der().clone()], key).expect("a configuration")
    }
}

/// Secrets of the hub's own namespace: names, and keys with values.
pub(super) fn secrets(secrets: &[(&str, &[(&str, &str)])]) -> Secrets {
    let shelf = Arc::new(Shelf::default());
    for (name, data) in secrets {
        shelf.put(secret(name, "1", data));
    }
    Secrets::new(shelf, "hub")
}

/// One Secret.
pub(super) fn secret(name: &str, version: &str, data: &[(&str, &str)]) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.namespace = Some("hub".to_owned());
    secret.metadata.resource_version = Some(version.to_owned());
    let entry =
        |(key, value): &(&str, &str)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()));
    secret.data = Some(data.iter().map(entry).collect());
    secret
}

/// A provider with this spec and these Secrets.
pub(super) fn provider(spec: Value, secrets: &Secrets) -> Provider {
    let spec = serde_json::from_value(spec).expect("a spec");
    let surroundings = Surroundings {
        secrets: secrets.clone(),
        egress: Egress::to_loopback(),
        ..Surroundings::default()
    };
    Provider::new(&spec, &surroundings).expect("a provider")
}

/// The values of one query, or what is said instead. Never waits for long.
pub(super) async fn ask(provider: &Provider, query: &str) -> Result<Vec<f64>, String> {
    let answer = tokio::time::timeout(Duration::from_secs(20), provider.ask(query)).await;
    let answer = answer.expect("an answer in time").map_err(|error| error.to_string())?;
    crate::metrics::answer::values(&answer).map_err(|error| error.to_string())
}

use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use reqwest::dns::Resolve;

use super::Egress;

#[test]
fn only_plain_addresses_outside_of_the_hub_are_taken() {
    let api_server: IpAddr = "10.96.0.1".parse().expect("an address");
    let egress = Egress::refusing(vec![api_server]);
    let taken = [
        "http://prometheus:9090",
        "https://prometheus.example/base",
        "http://10.0.0.1:9090",
        "http://[2001:db8::1]:9090",
        "http://192.168.1.1",
    ];
    for address in taken {
        assert!(egress.address("spec.x", address).is_ok(), "{address}");
    }
    let refused = [
        "ftp://prometheus",
        "file:///etc/passwd",
        "gopher://prometheus",
        "http://user:secret@prometheus",
        "http://prometheus/#x",
        "http://prometheus/?x=y",
        "prometheus:9090",
        "",
        "http://127.0.0.1",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://0.0.0.0",
        "http://0.1.2.3",
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166",
        "http://0xa9fea9fe",
        "http://0251.0376.0251.0376",
        "http://[::1]",
        "http://[::]",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://[::ffff:169.254.169.254]",
        "http://[::ffff:a9fe:a9fe]",
        "http://[::127.0.0.1]",
        "http://[64:ff9b::169.254.169.254]",
        "http://[2002:a9fe:a9fe::]",
        "http://168.63.129.16",
        "http://100.100.100.200",
        "http://192.0.0.192",
        "http://224.0.0.1",
        "http://255.255.255.255",
        "https://10.96.0.1",
        "https://[::ffff:10.96.0.1]",
    ];
    for address in refused {
        let error = egress.address("spec.x", address).expect_err(address).to_string();
        assert!(error.starts_with("spec.x: "), "{error}");
    }
}

#[tokio::test]
async fn names_are_checked_at_every_connection() {
    let resolve = |egress: &Egress| egress.resolve("prometheus".parse().expect("a name"));
    // The first answer is good, the next ones lead inward: alone, and among good ones.
    let asked = AtomicUsize::new(0);
    let egress = Egress::looking_up(move |_| {
        let answers: [&[&str]; 4] =
            [&["10.0.0.1"], &["127.0.0.1"], &["10.0.0.1", "169.254.169.254"], &[]];
        let answer = answers[asked.fetch_add(1, Ordering::Relaxed)];
        answer.iter().map(|ip| ip.parse().expect("an address")).collect()
    });
    let first: Vec<_> = resolve(&egress).await.expect("an address").collect();
    assert_eq!(first, ["10.0.0.1:0".parse().expect("an address")]);
    for expect in ["127.0.0.1, where", "169.254.169.254, where", "not known"] {
        let error = resolve(&egress).await.map(|_| ()).expect_err(expect).to_string();
        assert!(error.contains("prometheus") && error.contains(expect), "{error}");
    }
}

use secrecy::ExposeSecret;

use super::*;

const SERVER: &str = "https://10.0.0.1:6443";

fn secret(entries: &[(&str, &str)]) -> BTreeMap<String, ByteString> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())))
        .collect()
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

fn kubeconfig(cluster: &str, user: &str) -> BTreeMap<String, ByteString> {
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{{cluster}}}\nusers:\n- name: u\n  user: {{{user}}}\ncontexts:\n- name: x\n  context: {{cluster: c, user: u}}\ncurrent-context: x\n"
    );
    secret(&[("kubeconfig", &text)])
}

const CLUSTER: &str = "server: 'https://10.0.0.1:6443', certificate-authority-data: QUE=";

#[test]
fn the_documented_forms_are_read() {
    let parsed = parse(&secret(&[("ca.crt", PEM), ("token", "abc\n")]), SERVER).unwrap();
    let Identity::Token(token) = parsed.identity else { panic!("a token was given") };
    assert_eq!(token.expose_secret(), "abc");
    let parsed = parse(&secret(&[("ca.crt", PEM), ("tls.crt", PEM), ("tls.key", "k")]), SERVER);
    assert!(matches!(parsed.unwrap().identity, Identity::Certificate { .. }));
    let parsed = parse(&kubeconfig(CLUSTER, "token: abc"), SERVER).unwrap();
    assert_eq!(parsed.authority_pem, b"AA");
}

#[test]
fn hostile_kubeconfigs_are_refused_and_the_field_is_named() {
    let users = [
        ("exec: {command: sh, args: [-c, id]}", "exec"),
        ("auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}", "auth-provider"),
        ("tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token", "tokenFile"),
        ("client-certificate: /etc/passwd, client-key: /etc/passwd", "client-certificate"),
        ("token: a, as: system:admin", "as"),
        ("token: a, as-groups: [system:masters]", "as-groups"),
        ("username: a, password: hunter2", "username"),
    ];
    for (user, field) in users {
        let error = parse(&kubeconfig(CLUSTER, user), SERVER).unwrap_err().to_string();
        assert!(error.contains(&format!("field {field} ")), "{user}: {error}");
        assert!(!error.contains("hunter2") && !error.contains("/etc/passwd"), "{error}");
    }
    let clusters = [
        ("insecure-skip-tls-verify: true", "insecure-skip-tls-verify"),
        ("certificate-authority: /etc/passwd", "certificate-authority"),
        ("proxy-url: 'http://proxy'", "proxy-url"),
        ("tls-server-name: other", "tls-server-name"),
    ];
    for (extra, field) in clusters {
        let cluster = format!("{CLUSTER}, {extra}");
        let error = parse(&kubeconfig(&cluster, "token: a"), SERVER).unwrap_err().to_string();
        assert!(error.contains(&format!("field {field} ")), "{extra}: {error}");
    }
}

#[test]
fn other_servers_and_half_credentials_are_refused() {
    let elsewhere = "server: 'https://attacker', certificate-authority-data: QUE=";
    let error = parse(&kubeconfig(elsewhere, "token: a"), SERVER).unwrap_err().to_string();
    assert!(error.contains("spec.server"), "{error}");
    for entries in [
        &[("token", "a")][..],
        &[("ca.crt", PEM)],
        &[("ca.crt", "no pem"), ("token", "a")],
        &[("ca.crt", PEM), ("token", "two\nlines")],
        &[("ca.crt", PEM), ("tls.crt", PEM)],
        &[("kubeconfig", "][")],
    ] {
        assert!(parse(&secret(entries), SERVER).is_err(), "{entries:?}");
    }
}

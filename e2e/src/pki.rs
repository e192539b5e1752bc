//! Certificates and keys of one cluster, made anew for every run.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::addresses;

/// The first address of the service range, by which pods would call the API server.
const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// Everything that one cluster's parts prove themselves with.
#[derive(Clone, Debug)]
pub struct Pki {
    /// The certificate authority's certificate, as PEM.
    pub ca: String,
    /// The administrator.
    pub admin: Identity,
    dir: PathBuf,
}

impl Pki {
    /// Makes the keys and certificates of `cluster` in `dir`.
    pub fn generate(dir: &Path, cluster: u8) -> anyhow::Result<Self> {
        let mut ca_params = CertificateParams::default();
        ca_params.distinguished_name.push(DnType::CommonName, format!("cluster-{cluster}-ca"));
        ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca_key = KeyPair::generate()?;
        let ca = ca_params.self_signed(&ca_key)?.pem();
        let issuer = Issuer::new(ca_params, ca_key);

        let server = issue(&issuer, apiserver_params(cluster)?)?;
        let admin = issue(&issuer, admin_params())?;
        let accounts = KeyPair::generate()?;

        std::fs::create_dir_all(dir)?;
        let pki = Self { ca, admin, dir: dir.to_owned() };
        std::fs::write(pki.ca_file(), &pki.ca)?;
        std::fs::write(pki.server_certificate_file(), server.certificate)?;
        std::fs::write(pki.server_key_file(), server.key)?;
        std::fs::write(pki.account_key_file(), accounts.serialize_pem())?;
        std::fs::write(pki.account_public_key_file(), accounts.public_key_pem())?;
        Ok(pki)
    }

    /// File with the authority's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// File with the API server's certificate.
    #[must_use]
    pub fn server_certificate_file(&self) -> PathBuf {
        self.dir.join("apiserver.crt")
    }

    /// File with the API server's key.
    #[must_use]
    pub fn server_key_file(&self) -> PathBuf {
        self.dir.join("apiserver.key")
    }

    /// File with the key that signs ServiceAccount tokens.
    #[must_use]
    pub fn account_key_file(&self) -> PathBuf {
        self.dir.join("accounts.key")
    }

    /// File with the key that checks ServiceAccount tokens.
    #[must_use]
    pub fn account_public_key_file(&self) -> PathBuf {
        self.dir.join("accounts.pub")
    }
}

fn apiserver_params(cluster: u8) -> anyhow::Result<CertificateParams> {
    let mut params =
        CertificateParams::new(vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names.extend(
        [
            addresses::control_plane(cluster),
            addresses::hub_only_apiserver(cluster),
            Ipv4Addr::LOCALHOST,
            SERVICE_ADDRESS,
        ]
        .map(|address| SanType::IpAddress(IpAddr::V4(address))),
    );
    Ok(params)
}

fn admin_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "system:masters");
    params.distinguished_name.push(DnType::CommonName, "admin");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn issue(issuer: &Issuer<'_, KeyPair>, mut params: CertificateParams) -> anyhow::Result<Identity> {
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?.pem();
    Ok(Identity { certificate, key: key.serialize_pem() })
}

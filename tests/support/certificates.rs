//! Certificates made for one test.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};

/// A certificate authority of the test's own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// The private key, PKCS #8.
    pub key: String,
}

impl Authority {
    /// A new authority, with a key of its own.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for a server or client with these DNS names and addresses.
    ///
    /// # Panics
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.sign(named(names[0], names))
    }

    /// A certificate of a workload of the mesh, as istiod's own authority makes them: its name is
    /// the identity of its service account.
    ///
    /// # Panics
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn workload(&self, namespace: &str, service_account: &str) -> Certificate {
        self.sign(identified(namespace, service_account))
    }

    /// The same, good for so long from now on.
    ///
    /// # Panics
    /// If a name cannot stand in a certificate.
    #[must_use]
    pub fn workload_for(
        &self,
        namespace: &str,
        service_account: &str,
        life: Duration,
    ) -> Certificate {
        let mut params = identified(namespace, service_account);
        params.not_after = (SystemTime::now() + life).into();
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Certificate {
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

fn named(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names that a certificate can hold");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

fn identified(namespace: &str, service_account: &str) -> CertificateParams {
    let identity = format!("spiffe://cluster.local/ns/{namespace}/sa/{service_account}");
    let mut params = named(service_account, &[]);
    let identity = identity.try_into().expect("letters of a certificate");
    params.subject_alt_names.push(SanType::URI(identity));
    params
}

//! A stock istiod that reads its configuration over TLS.

use std::fs;

use support::{Authority, Certificate, IstiodSettings, isolated, work_dir};

use super::{SOON, SOURCE, becomes, complaints, entries, serve};

fn write(certificate: &Certificate) {
    fs::write(work_dir().join("key.pem"), &certificate.key).unwrap();
    fs::write(work_dir().join("cert.pem"), &certificate.pem).unwrap();
}

fn register(services: &[&str]) {
    let url = |service: &&str| format!("- dubbo://10.8.0.1:20880/com.acme.{service}\n");
    let file = work_dir().join("providers.yaml");
    fs::write(file, services.iter().map(url).collect::<String>()).unwrap();
}

fn expected(services: &[&str]) -> Vec<(String, Vec<String>)> {
    let entry = |service: &&str| {
        let name = format!("com.acme.{}.dubbo--dubbo", service.to_lowercase());
        (name, vec!["10.8.0.1:20880".to_owned()])
    };
    services.iter().map(entry).collect()
}

/// The certificate changes while a stream stands; a new istiod sees the new one.
#[test]
fn istiod_reads_over_tls_before_and_after_the_certificate_changed() {
    isolated(async || {
        let authority = Authority::new("mesh");
        write(&authority.issue(&["127.0.0.1"]));
        register(&["Orders"]);
        let path = |name: &str| work_dir().join(name).display().to_string();
        let mut mesh = serve(&[
            "--registry",
            &format!("file:{}", path("providers.yaml")),
            "--tls-cert",
            &path("cert.pem"),
            "--tls-key",
            &path("key.pem"),
        ])
        .await;
        let settings = IstiodSettings::new(&[SOURCE]).trusting(&authority.pem);
        let mut istiod = settings.start().await;
        becomes("the first entry", expected(&["Orders"]), async || {
            entries(&istiod).await
        })
        .await;

        write(&authority.issue(&["127.0.0.1"]));
        let reloaded = |line: &str| line.contains("certificate reloaded");
        mesh.process().wait_for_line(0, SOON, reloaded).await;
        register(&["Orders", "Payments"]);
        becomes(
            "the standing stream",
            expected(&["Orders", "Payments"]),
            async || entries(&istiod).await,
        )
        .await;

        istiod.restart().await;
        becomes(
            "a new stream",
            expected(&["Orders", "Payments"]),
            async || entries(&istiod).await,
        )
        .await;
        assert_eq!(complaints(&istiod), [""; 0]);
    });
}

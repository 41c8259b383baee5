package com.acme;

import java.util.List;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MetadataReportConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** Dubbo 2.7 and later: the bootstrap exports, and registers the application as a whole where the version does that. */
final class Exporter {
    private Exporter() {
    }

    static void export(ApplicationConfig application, RegistryConfig registry, List<ProtocolConfig> protocols,
            List<ServiceConfig<Object>> services, Settings settings) throws ReflectiveOperationException {
        DubboBootstrap bootstrap = DubboBootstrap.getInstance();
        bootstrap.application(application).registry(registry).protocols(protocols);
        for (ServiceConfig<Object> service : services) {
            bootstrap.service(service);
        }
        Settings report = settings.under("metadataReport");
        if (!report.isEmpty()) {
            bootstrap.metadataReport(report.into(new MetadataReportConfig()));
        }
        bootstrap.start();
    }
}

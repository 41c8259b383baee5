package com.acme;

import java.util.List;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;

/** Dubbo 2.6: every service is exported for itself. */
final class Exporter {
    private Exporter() {
    }

    static void export(ApplicationConfig application, RegistryConfig registry, List<ProtocolConfig> protocols,
            List<ServiceConfig<Object>> services, Settings settings) {
        for (ServiceConfig<Object> service : services) {
            service.setApplication(application);
            service.setRegistry(registry);
            if (service.getProtocols() == null || service.getProtocols().isEmpty()) {
                service.setProtocols(protocols);
            }
            service.export();
        }
    }
}

package com.acme;

import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Scanner;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;

/**
 * Exports what a properties file says: {@code application.*},
 * {@code registry.*}, {@code protocol.N.*}, {@code service.N.*} (see
 * {@link Settings}), and {@code provider}, the name that it answers with. A service
 * is exported by all protocols, or by the one whose number is its {@code protocol}.
 *
 * <p>Prints READY once everything is exported. Commands on standard input, each
 * answered by one line: {@code unexport INTERFACE} (all its services),
 * {@code stop} (as a SIGTERM: Dubbo's own shutdown). The end of the input is
 * the end of the program, at once.
 */
public final class Provider {
    private Provider() {
    }

    public static void main(String[] arguments) throws Exception {
        Settings settings = new Settings(Paths.get(arguments[0]));
        ApplicationConfig application = settings.under("application").into(new ApplicationConfig());
        application.setQosEnable(false);
        RegistryConfig registry = settings.under("registry").into(new RegistryConfig());

        List<ProtocolConfig> protocols = new ArrayList<>();
        for (Settings each : numbered(settings, "protocol")) {
            protocols.add(each.into(new ProtocolConfig()));
        }
        List<ServiceConfig<Object>> services = new ArrayList<>();
        for (Settings each : numbered(settings, "service")) {
            String protocol = each.take("protocol");
            ServiceConfig<Object> service = service(each, services.size(), settings.get("provider"));
            if (protocol != null) {
                service.setProtocol(protocols.get(Integer.parseInt(protocol)));
            }
            services.add(service);
        }
        Exporter.export(application, registry, protocols, services, settings);
        System.out.println("READY");
        obey(services);
    }

    private static ServiceConfig<Object> service(Settings settings, int number, String provider) throws Exception {
        String interfaceName = settings.take("interface");
        ServiceConfig<Object> service = settings.into(new ServiceConfig<>());
        // 2.7 takes two services without an id for one and exports the first alone.
        service.setId("service-" + number);
        service.setInterface(interfaceName);
        service.setRef(Implementations.of(interfaceName, provider));
        return service;
    }

    private static List<Settings> numbered(Settings settings, String name) {
        List<Settings> found = new ArrayList<>();
        while (!settings.under(name + "." + found.size()).isEmpty()) {
            found.add(settings.under(name + "." + found.size()));
        }
        return found;
    }

    private static void obey(List<ServiceConfig<Object>> services) {
        Scanner input = new Scanner(System.in);
        while (input.hasNextLine()) {
            String[] command = input.nextLine().split(" ");
            if (command[0].equals("stop")) {
                System.exit(0);
            } else if (command[0].equals("unexport")) {
                int count = 0;
                for (ServiceConfig<Object> service : services) {
                    if (service.getInterface().equals(command[1])) {
                        service.unexport();
                        count++;
                    }
                }
                System.out.println("unexported " + count);
            } else {
                System.out.println("unknown command " + command[0]);
            }
        }
        Runtime.getRuntime().halt(1);
    }
}

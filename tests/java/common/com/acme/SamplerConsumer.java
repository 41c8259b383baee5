package com.acme;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.List;
import java.util.Scanner;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * Makes all {@link SamplerCalls}, of one provider after the other: {@code application.*} and
 * {@code registry.*} are in the properties file (see {@link Settings}).
 *
 * <p>Prints READY at once. One command a line on standard input, the settings of a reference,
 * {@code KEY=VALUE} each: it refers to a {@link Sampler}, prints a line for each call, and DONE; the
 * reference is gone then. With {@code rush=yes} among them it makes one call again and again, from
 * before there is a provider, until the next line, and prints what became of them.
 */
public final class SamplerConsumer {
    private final ApplicationConfig application;
    private final RegistryConfig registry;
    private final PrintStream out;
    private int references;

    private SamplerConsumer(Settings settings, PrintStream out) throws ReflectiveOperationException {
        this.application = settings.under("application").into(new ApplicationConfig());
        this.application.setQosEnable(false);
        this.registry = settings.under("registry").into(new RegistryConfig());
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8.name());
        SamplerConsumer consumer = new SamplerConsumer(new Settings(Paths.get(arguments[0])), out);
        out.println("READY");
        Scanner input = new Scanner(System.in, StandardCharsets.UTF_8.name());
        while (input.hasNextLine()) {
            String line = input.nextLine();
            if (!line.equals("enough")) {
                consumer.obey(Arrays.asList(line.split(" ")));
                out.println("DONE");
            }
        }
        Runtime.getRuntime().halt(1);
    }

    private void obey(List<String> words) throws Exception {
        Settings wanted = new Settings(words);
        String rush = wanted.take("rush");
        ReferenceConfig<Sampler> typed = refer(wanted, Sampler.class);
        if (rush != null) {
            out.println(Rush.of(typed.get()));
            typed.destroy();
            return;
        }
        ReferenceConfig<GenericService> generic = refer(wanted, Sampler.class);
        generic.setGeneric("true");
        try {
            for (String line : new SamplerCalls(typed.get(), generic.get(), wanted.get("group")).all()) {
                out.println(line);
            }
        } catch (IllegalStateException e) {
            // No provider is known.
            out.println("reference THROWN " + e.getMessage());
        } finally {
            typed.destroy();
            generic.destroy();
        }
    }

    private <T> ReferenceConfig<T> refer(Settings wanted, Class<?> type) throws ReflectiveOperationException {
        ReferenceConfig<T> reference = wanted.into(new ReferenceConfig<T>());
        reference.setId("reference-" + references++);
        reference.setApplication(application);
        reference.setRegistry(registry);
        reference.setInterface(type);
        reference.setRetries(0);
        return reference;
    }
}

package com.acme;

import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import java.util.Scanner;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.rpc.RpcException;

/**
 * Calls a {@link Greeter} or {@link Orders} as the properties file says:
 * {@code application.*}, {@code registry.*}, {@code reference.*} (see
 * {@link Settings}).
 *
 * <p>Prints READY once it has a proxy. One command a line on standard input,
 * {@code METHOD ARGUMENT [KEY=VALUE of an attachment...]}; it prints
 * {@code RESULT value} or {@code THROWN class: message}; behind the class stand
 * the codes of those of it and its causes that are Dubbo's own RpcException.
 */
public final class Consumer {
    private Consumer() {
    }

    public static void main(String[] arguments) throws Exception {
        Settings settings = new Settings(Paths.get(arguments[0]));
        ApplicationConfig application = settings.under("application").into(new ApplicationConfig());
        application.setQosEnable(false);
        RegistryConfig registry = settings.under("registry").into(new RegistryConfig());
        Settings wanted = settings.under("reference");
        String interfaceName = wanted.take("interface");
        ReferenceConfig<Object> reference = wanted.into(new ReferenceConfig<>());
        reference.setApplication(application);
        reference.setRegistry(registry);
        reference.setInterface(Class.forName(interfaceName));
        Object proxy = reference.get();
        System.out.println("READY");

        Scanner input = new Scanner(System.in, StandardCharsets.UTF_8.name());
        while (input.hasNextLine()) {
            String[] words = input.nextLine().split(" ");
            if (words[0].equals("stop")) {
                System.exit(0);
            }
            System.out.println(answer(proxy, words));
        }
        Runtime.getRuntime().halt(1);
    }

    private static String answer(Object proxy, String[] words) {
        try {
            for (int i = 2; i < words.length; i++) {
                String[] pair = words[i].split("=", 2);
                Attachments.send(pair[0], pair[1]);
            }
            return "RESULT " + call(proxy, words[0], words.length > 1 ? words[1] : "");
        } catch (Throwable e) {
            return "THROWN " + e.getClass().getName() + codes(e) + ": " + String.valueOf(e.getMessage()).split("\n")[0];
        }
    }

    private static String codes(Throwable thrown) {
        StringBuilder codes = new StringBuilder();
        for (Throwable e = thrown; e != null; e = e.getCause()) {
            if (e instanceof RpcException) {
                codes.append(' ').append(((RpcException) e).getCode());
            }
        }
        return codes.toString();
    }

    private static Object call(Object proxy, String method, String argument) throws Exception {
        switch (method) {
            case "greet":
                return ((Greeter) proxy).greet(argument);
            case "attachments":
                return ((Greeter) proxy).attachments();
            case "sleep":
                return ((Greeter) proxy).sleep(Integer.parseInt(argument));
            case "fail":
                return ((Greeter) proxy).fail(argument);
            case "subscribe":
                return ((Pusher) proxy).subscribe(argument, topic -> topic + " at its listener");
            case "place":
                Order order = new Order();
                order.setCustomer(argument);
                order.getLines().add("tea");
                return ((Orders) proxy).place(order);
            default:
                throw new IllegalArgumentException("no method " + method);
        }
    }
}

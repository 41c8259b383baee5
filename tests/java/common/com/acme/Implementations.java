package com.acme;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

import org.apache.dubbo.rpc.service.GenericService;

/** What the provider program exports: the demo services, or for any other interface one that answers its own name. */
final class Implementations {
    private Implementations() {
    }

    static Object of(String interfaceName, String provider) {
        switch (interfaceName) {
            case "com.acme.Greeter":
                return new NamedGreeter(provider);
            case "com.acme.Orders":
                return new NumberedOrders();
            case "com.acme.Pusher":
                return (Pusher) (topic, listener) -> "heard " + listener.pushed(topic) + " from " + provider;
            case "com.acme.Sampler":
                return new NamedSampler(provider);
            default:
                return (GenericService) (method, types, arguments) -> interfaceName + "." + method + " from " + provider;
        }
    }

    private static final class NamedGreeter implements Greeter {
        private final String provider;

        NamedGreeter(String provider) {
            this.provider = provider;
        }

        @Override
        public String greet(String name) {
            return "hello " + name + " from " + provider;
        }

        @Override
        public Map<String, String> attachments() {
            return new TreeMap<>(Attachments.received());
        }

        @Override
        public String sleep(int milliseconds) {
            try {
                Thread.sleep(milliseconds);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return "slept " + milliseconds + " at " + provider;
        }

        @Override
        public String fail(String reason) throws Rejected {
            throw new Rejected(reason);
        }
    }

    private static final class NumberedOrders implements Orders {
        private final AtomicLong last = new AtomicLong();

        @Override
        public Order place(Order order) {
            order.setNumber(last.incrementAndGet());
            return order;
        }
    }
}

package com.acme;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;

import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.service.EchoService;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * Every way of calling, each with one line about its outcome, {@code NAME RESULT value} or
 * {@code NAME THROWN class: message}. The lines say nothing that differs from one call to the next, so that
 * two runs can be compared.
 */
final class SamplerCalls {
    /** Two letters of three bytes, one of four, and both kinds of white space and quotes that JSON would escape. */
    private static final String TEXT = "W\u00f6rld \u4e16\u754c \ud83d\ude00 \"quoted\" \\ \t.";
    private static final int LARGE = 1 << 20;

    private final Sampler typed;
    private final GenericService generic;
    private final String group;
    private final List<String> lines = new ArrayList<>();

    SamplerCalls(Sampler typed, GenericService generic, String group) {
        this.typed = typed;
        this.generic = generic;
        this.group = group;
    }

    List<String> all() {
        add("object", () -> typed.deliver(parcel()));
        add("text", () -> typed.say(TEXT));
        add("empty", () -> "[" + typed.say("") + "]");
        add("null-argument", () -> typed.say(null));
        add("null-result", () -> typed.nothing());
        add("declared-exception", () -> typed.reject("no " + TEXT));
        add("other-exception", () -> typed.breakDown("worn out"));
        add("attachments", this::attachments);
        add("after-attachments", () -> typed.say("again"));
        add("async", () -> later(() -> typed.say("later")));
        add("async-exception", () -> later(() -> typed.reject("later")));
        add("one-way", this::oneWay);
        add("large", () -> checksum(typed.mirror(bytes(LARGE))));
        add("echo", () -> ((EchoService) typed).$echo(TEXT));
        add("generic-text", () -> invoke("say", String.class.getName(), TEXT));
        add("generic-object", () -> sorted(invoke("deliver", Parcel.class.getName(), loose())));
        add("generic-exception", () -> invoke("reject", String.class.getName(), "no"));
        add("unknown-method", () -> invoke("fly", String.class.getName(), "no"));
        return lines;
    }

    private void add(String name, Callable<Object> call) {
        String outcome;
        try {
            outcome = "RESULT " + call.call();
        } catch (Throwable e) {
            outcome = "THROWN " + thrown(e);
        }
        lines.add(name + " " + outcome.replace("\n", "\\n"));
    }

    /**
     * Class and message; of Dubbo's own exceptions, whose messages name addresses and times, the code and the class
     * of the first cause. 2.7 has the class of generic ones twice.
     */
    private static String thrown(Throwable e) {
        Throwable seen = e instanceof ExecutionException && e.getCause() != null ? e.getCause() : e;
        if (seen instanceof RpcException) {
            Throwable cause = seen;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            String by = cause == seen ? "" : " by " + cause.getClass().getSimpleName();
            return "RpcException " + ((RpcException) seen).getCode() + by;
        }
        if (seen.getClass().getSimpleName().equals("GenericException")) {
            return "generic " + seen.getMessage().split("\n")[0];
        }
        return seen.getClass().getName() + ": " + seen.getMessage();
    }

    private static Parcel parcel() {
        Parcel inner = new Parcel();
        inner.setLabel("\u91cc\u9762");
        Parcel parcel = new Parcel();
        parcel.setLabel(TEXT);
        parcel.setKind(Kind.BOX);
        parcel.setPrice(new BigDecimal("12345678901234567890.50"));
        parcel.setSent(new Date(1700000000123L));
        parcel.getStamps().addAll(Arrays.asList("one", "\u4e8c", null));
        parcel.getWeights().put("least", Long.MIN_VALUE);
        parcel.getWeights().put("most", Long.MAX_VALUE);
        parcel.setInner(inner);
        return parcel;
    }

    /** The parcel of who does not have its class. */
    private static Map<String, Object> loose() {
        Map<String, Object> loose = new HashMap<>();
        loose.put("class", Parcel.class.getName());
        loose.put("label", TEXT);
        loose.put("kind", "LETTER");
        loose.put("stamps", new ArrayList<>(Arrays.asList("one")));
        return loose;
    }

    private Object attachments() throws ReflectiveOperationException {
        Attachments.send("color", "red");
        Attachments.send("region", "\u676d\u5dde");
        Attachments.send("unlisted", " as it is ");
        Map<String, String> received = new TreeMap<>(typed.attachments("\u597d"));
        // Each provider has a group of its own, which makes the request longer as well.
        received.replace("group", group, "as asked");
        received.computeIfPresent("input", (key, bytes) -> String.valueOf(Integer.parseInt(bytes) - group.length()));
        return received + " answer=" + Attachments.answered("answer");
    }

    private static Object later(Callable<Object> call) throws Exception {
        Future<Object> future = RpcContext.getContext().asyncCall(call);
        return future.get(10, TimeUnit.SECONDS);
    }

    private Object oneWay() throws InterruptedException {
        String text = "noted " + System.nanoTime();
        RpcContext.getContext().asyncCall(() -> typed.note(text));
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (System.nanoTime() < until) {
            if (typed.noted().contains(text)) {
                return true;
            }
            Thread.sleep(5);
        }
        return false;
    }

    private Object invoke(String method, String type, Object argument) {
        return generic.$invoke(method, new String[] {type}, new Object[] {argument});
    }

    private static Object sorted(Object map) {
        return new TreeMap<>((Map<?, ?>) map);
    }

    private static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        int state = 1;
        for (int i = 0; i < length; i++) {
            state = state * 1103515245 + 12345;
            bytes[i] = (byte) (state >>> 16);
        }
        return bytes;
    }

    private static String checksum(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return bytes.length + " bytes, " + Long.toHexString(crc.getValue());
    }
}

package com.acme;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;

import org.apache.dubbo.rpc.RpcException;

/** Calls one after the other. */
final class Rush {
    private Rush() {
    }

    /** Until something is on standard input: what came before the first answer, and what after it that was none. */
    static String of(Sampler sampler) throws InterruptedException, IOException {
        Map<String, Integer> before = new TreeMap<>();
        Map<String, Integer> after = new TreeMap<>();
        int answered = 0;
        while (System.in.available() == 0) {
            String seen;
            try {
                seen = sampler.say("hello");
            } catch (Throwable e) {
                seen = name(e);
            }
            if (seen.equals("hello")) {
                answered++;
            } else {
                (answered == 0 ? before : after).merge(seen, 1, Integer::sum);
            }
            Thread.sleep(3);
        }
        return "answered=" + answered + " before=" + before.keySet() + " after=" + after;
    }

    private static String name(Throwable thrown) {
        String text = String.valueOf(thrown.getMessage());
        if (thrown instanceof RpcException && (text.startsWith("No provider available")
                || ((RpcException) thrown).getCode() == RpcException.FORBIDDEN_EXCEPTION)) {
            return "no provider";
        }
        return thrown.getClass().getName() + ": " + text;
    }
}

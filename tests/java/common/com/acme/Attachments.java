package com.acme;

import java.util.Map;
import java.util.TreeMap;

import org.apache.dubbo.rpc.RpcContext;

/**
 * Attachments of a call. Dubbo 3 has one context for what is sent and another
 * for what came, 2.x one for both; the objects' own types differ as well.
 */
final class Attachments {
    private Attachments() {
    }

    /** For the next call of this thread. */
    static void send(String key, String value) throws ReflectiveOperationException {
        Object context = context("getClientAttachment");
        context.getClass().getMethod("setAttachment", String.class, String.class).invoke(context, key, value);
    }

    /** Of the call that this thread serves. */
    static Map<String, String> received() {
        try {
            Object context = context("getServerAttachment");
            Map<?, ?> all = (Map<?, ?>) context.getClass().getMethod("getAttachments").invoke(context);
            Map<String, String> sorted = new TreeMap<>();
            all.forEach((key, value) -> sorted.put(String.valueOf(key), String.valueOf(value)));
            return sorted;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** With the response of the call that this thread serves. */
    static void answer(String key, String value) {
        RpcContext.getServerContext().setAttachment(key, value);
    }

    /** That came with the response of the last call of this thread. */
    static String answered(String key) {
        return RpcContext.getServerContext().getAttachment(key);
    }

    private static Object context(String dubbo3Name) throws ReflectiveOperationException {
        try {
            return RpcContext.class.getMethod(dubbo3Name).invoke(null);
        } catch (NoSuchMethodException e) {
            return RpcContext.getContext();
        }
    }
}

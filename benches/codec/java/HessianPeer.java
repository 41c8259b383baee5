package com.acme.orders;

import com.alibaba.com.caucho.hessian.io.*;
import java.io.*;
import java.math.BigDecimal;
import java.nio.file.*;
import java.util.*;

/**
 * hessian-lite as a provider of Dubbo uses it, warm: prints row, sample and nanoseconds.
 *
 * peek: the five strings; index and decode: everything, beans where the body has objects, since the
 * library has no cheaper way to the attachments; encode: a body from what was decoded.
 */
public class HessianPeer {
    static final SerializerFactory FACTORY = new SerializerFactory();
    static Object sink;

    interface Once { Object run() throws Exception; }

    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Paths.get(args[0]))) {
            String[] columns = line.split("\t");
            byte[] frame = unhex(columns[1]), body = Arrays.copyOfRange(frame, 16, frame.length);
            Object[] parts = decode(body);
            if (encode(parts).length < body.length * 9 / 10) throw new Error("not the same body");
            if (columns[0].equals("typical") && !(parts[7] instanceof Order)) throw new Error("no bean: " + parts[7].getClass());
            measure("peek", columns[0], () -> peek(body));
            measure("index", columns[0], () -> decode(body));
            measure("decode", columns[0], () -> decode(body));
            measure("encode", columns[0], () -> encode(parts));
        }
    }

    static Hessian2Input input(byte[] body) {
        Hessian2Input in = new Hessian2Input(new ByteArrayInputStream(body));
        in.setSerializerFactory(FACTORY);
        return in;
    }

    static Object peek(byte[] body) throws IOException {
        Hessian2Input in = input(body);
        String[] strings = new String[5];
        for (int i = 0; i < 5; i++) strings[i] = in.readString();
        return strings;
    }

    static Object[] decode(byte[] body) throws IOException {
        Hessian2Input in = input(body);
        List<Object> parts = new ArrayList<>(10);
        for (int i = 0; i < 5; i++) parts.add(in.readString());
        for (Class<?> type : types((String) parts.get(4))) parts.add(in.readObject(type));
        parts.add(in.readObject(Map.class));
        if (((Map<?, ?>) parts.get(parts.size() - 1)).size() != 9) throw new IOException("not nine attachments");
        return parts.toArray();
    }

    static byte[] encode(Object[] parts) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output out = new Hessian2Output(bytes);
        out.setSerializerFactory(FACTORY);
        for (int i = 0; i < 5; i++) out.writeString((String) parts[i]);
        for (int i = 5; i < parts.length; i++) out.writeObject(parts[i]);
        out.flush();
        return bytes.toByteArray();
    }

    static Class<?>[] types(String descriptor) {
        switch (descriptor) {
            case "Ljava/lang/String;": return new Class<?>[] {String.class};
            case "Ljava/lang/String;JLcom/acme/orders/Order;": return new Class<?>[] {String.class, long.class, Order.class};
            default: return new Class<?>[] {Object.class};
        }
    }

    /** The best of 30 runs of at least 5 ms, after three seconds in which the compiler sees all of it. */
    static void measure(String row, String sample, Once once) throws Exception {
        for (long start = System.nanoTime(); System.nanoTime() - start < 3_000_000_000L; ) sink = once.run();
        int rounds = 1;
        while (timed(rounds, once) < 5_000_000) rounds *= 2;
        long best = Long.MAX_VALUE;
        for (int i = 0; i < 30; i++) best = Math.min(best, timed(rounds, once));
        System.out.println(row + "\t" + sample + "\t" + (double) best / rounds);
    }

    static long timed(int rounds, Once once) throws Exception {
        long start = System.nanoTime();
        for (int i = 0; i < rounds; i++) sink = once.run();
        return System.nanoTime() - start;
    }

    static byte[] unhex(String s) {
        byte[] r = new byte[s.length() / 2];
        for (int i = 0; i < r.length; i++) r[i] = (byte) Integer.parseInt(s.substring(2 * i, 2 * i + 2), 16);
        return r;
    }
}

class Order implements Serializable { long id; Status status; BigDecimal total; List<Item> items; Map<String, String> labels; }
enum Status { NEW, PAID }
class Item implements Serializable { String sku; int quantity; double price; boolean gift; String note; }
class Row implements Serializable { int id; String name; double score; }

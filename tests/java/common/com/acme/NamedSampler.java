package com.acme;

import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/** The provider's side of {@link Sampler}. */
final class NamedSampler implements Sampler {
    private final String provider;
    private final Queue<String> noted = new ConcurrentLinkedQueue<>();

    NamedSampler(String provider) {
        this.provider = provider;
    }

    @Override
    public Parcel deliver(Parcel parcel) {
        parcel.setNote("read by " + provider + ": " + parcel);
        parcel.getStamps().add(provider);
        return parcel;
    }

    @Override
    public String say(String text) {
        return text;
    }

    @Override
    public Parcel nothing() {
        return null;
    }

    @Override
    public String reject(String reason) throws Rejected {
        throw new Rejected(reason);
    }

    @Override
    public String breakDown(String reason) {
        throw new IllegalStateException(reason);
    }

    @Override
    public Map<String, String> attachments(String answer) {
        Map<String, String> received = new TreeMap<>(Attachments.received());
        Attachments.answer("answer", answer);
        return received;
    }

    @Override
    public void note(String text) {
        noted.add(text);
    }

    @Override
    public String noted() {
        return String.join("; ", noted);
    }

    @Override
    public byte[] mirror(byte[] bytes) {
        byte[] mirrored = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            mirrored[i] = bytes[bytes.length - 1 - i];
        }
        return mirrored;
    }
}

package com.acme;

import java.util.Map;

/** A service with a method for each thing that a call may carry. */
public interface Sampler {
    /** The parcel, stamped by the provider, the text that the provider read in it as its note. */
    Parcel deliver(Parcel parcel);

    /** The same text. */
    String say(String text);

    /** Nothing: null. */
    Parcel nothing();

    /** Throws always, what the interface declares. */
    String reject(String reason) throws Rejected;

    /** Throws always, what no interface declares: an IllegalStateException. */
    String breakDown(String reason);

    /** The attachments that reached the provider, which answers with another one, {@code answer}. */
    Map<String, String> attachments(String answer);

    /** For a call without a response: {@link #noted} says whether it came. */
    void note(String text);

    /** All that was noted, by whomever. */
    String noted();

    /** The same bytes, back to front. */
    byte[] mirror(byte[] bytes);
}

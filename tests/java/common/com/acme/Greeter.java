package com.acme;

import java.util.Map;

/** The service of most tests: what a call carries there and back is visible in the answer. */
public interface Greeter {
    /** "hello NAME from PROVIDER". */
    String greet(String name);

    /** The attachments that reached the provider. */
    Map<String, String> attachments();

    /** Answers after that many milliseconds. */
    String sleep(int milliseconds);

    /** Throws always. */
    String fail(String reason) throws Rejected;
}

package com.acme;

/** A business exception: Dubbo carries it as a result, not as a failure of the call. */
public class Rejected extends Exception {
    private static final long serialVersionUID = 1L;

    public Rejected() {
    }

    public Rejected(String reason) {
        super(reason);
    }
}

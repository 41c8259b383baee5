package com.acme;

/** A service that calls its caller back, over the caller's own connection. */
public interface Pusher {
    /** "heard ANSWER from PROVIDER": what the listener says to the topic, told while the call is under way. */
    String subscribe(String topic, Listener listener);

    /** The argument that is a callback: providers say {@code subscribe.1.callback=true}. */
    interface Listener {
        String pushed(String topic);
    }
}

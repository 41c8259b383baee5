package com.acme;

/** A second service, with an argument and a result that are objects. */
public interface Orders {
    Order place(Order order);
}

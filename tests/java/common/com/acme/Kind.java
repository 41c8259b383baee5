package com.acme;

/** What a {@link Parcel} is. */
public enum Kind {
    LETTER, BOX
}

package com.acme;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** An object with a field of each kind that applications use. */
public class Parcel implements Serializable {
    private static final long serialVersionUID = 1L;

    private String label;
    private Kind kind;
    private BigDecimal price;
    private Date sent;
    private List<String> stamps = new ArrayList<>();
    private Map<String, Long> weights = new TreeMap<>();
    private Parcel inner;
    private String note;

    public String getLabel() {
        return label;
    }

    public void setLabel(String label) {
        this.label = label;
    }

    public Kind getKind() {
        return kind;
    }

    public void setKind(Kind kind) {
        this.kind = kind;
    }

    public BigDecimal getPrice() {
        return price;
    }

    public void setPrice(BigDecimal price) {
        this.price = price;
    }

    public Date getSent() {
        return sent;
    }

    public void setSent(Date sent) {
        this.sent = sent;
    }

    public List<String> getStamps() {
        return stamps;
    }

    public void setStamps(List<String> stamps) {
        this.stamps = stamps;
    }

    public Map<String, Long> getWeights() {
        return weights;
    }

    public void setWeights(Map<String, Long> weights) {
        this.weights = weights;
    }

    public Parcel getInner() {
        return inner;
    }

    public void setInner(Parcel inner) {
        this.inner = inner;
    }

    public String getNote() {
        return note;
    }

    public void setNote(String note) {
        this.note = note;
    }

    @Override
    public String toString() {
        return "label=" + label + " kind=" + kind + " price=" + price + " sent=" + (sent == null ? null : sent.getTime())
                + " stamps=" + stamps + " weights=" + new TreeMap<>(weights) + " inner=[" + inner + "] note=" + note;
    }
}

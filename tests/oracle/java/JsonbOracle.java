import com.alibaba.fastjson2.*;
import java.io.*;
import java.math.*;
import java.time.*;
import java.util.*;

/**
 * What fastjson2 reads and writes, one line in, one line out: D hex answers the JSON text of a JSONB
 * value (the library's own dump), P hex the class and text of what it parses it to, and V text what
 * Dubbo's Version says of a version's response attachments, and F hex the JSON text of each write in
 * a whole Dubbo frame, TAB between them. S hex answers what a value is parsed to, every kind of number
 * and date apart, R hex the same written again. Answers begin with OK or ERR.
 */
public class JsonbOracle {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"), 1 << 20);
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "US-ASCII");
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try { answer = "OK " + answer(line.charAt(0), line.substring(1).trim()); }
            catch (Throwable t) { answer = "ERR " + t.getClass().getName() + " " + JSON.toJSONString(String.valueOf(t.getMessage()), JSONWriter.Feature.EscapeNoneAscii); }
            out.println(answer);
            out.flush();
        }
    }
    static String answer(char what, String rest) throws Exception {
        switch (what) {
            case 'D': return escape(text(unhex(rest)));
            case 'P': { Object v = JSONB.parse(unhex(rest), JSONReader.Feature.UseNativeObject); return (v == null ? "null" : v.getClass().getName()) + " " + escape(String.valueOf(v)); }
            case 'S': { StringBuilder s = new StringBuilder(); show(JSONB.parse(unhex(rest)), s); return s.toString(); }
            case 'R': return hex(JSONB.toBytes(JSONB.parse(unhex(rest)), JSONWriter.Feature.WriteMapNullValue));
            case 'V': return String.valueOf(Class.forName("org.apache.dubbo.common.Version").getMethod("isSupportResponseAttachment", String.class).invoke(null, rest));
            case 'F': {
                byte[] b = unhex(rest);
                StringBuilder s = new StringBuilder();
                for (int at = 16; at < b.length; ) {
                    int n = java.nio.ByteBuffer.wrap(b).getInt(at);
                    if (at > 16) s.append('\t');
                    s.append(escape(text(Arrays.copyOfRange(b, at + 4, at + 4 + n))));
                    at += 4 + n;
                }
                return s.toString();
            }
            default: throw new IOException("no such question");
        }
    }
    static void show(Object v, StringBuilder s) {
        if (v == null) s.append('N');
        else if (v instanceof Boolean) s.append((Boolean) v ? 'T' : 'F');
        else if (v instanceof Byte) s.append(v).append('b');
        else if (v instanceof Short) s.append(v).append('s');
        else if (v instanceof Integer) s.append(v);
        else if (v instanceof Long) s.append(v).append('L');
        else if (v instanceof Float) s.append(String.format("f%08x", Float.floatToRawIntBits((Float) v)));
        else if (v instanceof Double) s.append(String.format("d%016x", Double.doubleToRawLongBits((Double) v)));
        else if (v instanceof Character) s.append(String.format("c%04x", (int) (Character) v));
        else if (v instanceof String) s.append(quote((String) v));
        else if (v instanceof byte[]) s.append('x').append(hex((byte[]) v));
        else if (v instanceof BigInteger) s.append('i').append(hex(((BigInteger) v).toByteArray()));
        else if (v instanceof BigDecimal) s.append('m').append(hex(((BigDecimal) v).unscaledValue().toByteArray())).append('e').append(((BigDecimal) v).scale());
        else if (v instanceof Date) { long n = ((Date) v).getTime(); s.append('t').append(Math.floorDiv(n, 1000L)).append('.').append(Math.floorMod(n, 1000L) * 1000000); }
        else if (v instanceof Instant) s.append('t').append(((Instant) v).getEpochSecond()).append('.').append(((Instant) v).getNano());
        else if (v instanceof LocalDate) date((LocalDate) v, s);
        else if (v instanceof LocalTime) time((LocalTime) v, s);
        else if (v instanceof LocalDateTime) { date(((LocalDateTime) v).toLocalDate(), s); time(((LocalDateTime) v).toLocalTime(), s); }
        else if (v instanceof ZonedDateTime) { ZonedDateTime z = (ZonedDateTime) v; date(z.toLocalDate(), s); time(z.toLocalTime(), s); s.append(quote(z.getZone().getId())); }
        else if (v instanceof List) { s.append('['); String before = ""; for (Object p : (List<?>) v) { s.append(before); show(p, s); before = ","; } s.append(']'); }
        else if (v instanceof Map) { s.append('{'); String before = ""; for (Map.Entry<?, ?> e : ((Map<?, ?>) v).entrySet()) { s.append(before); show(e.getKey(), s); s.append('='); show(e.getValue(), s); before = ","; } s.append('}'); }
        else s.append('?').append(v.getClass().getName());
    }
    static void date(LocalDate d, StringBuilder s) { s.append('D').append(d.getYear()).append('-').append(d.getMonthValue()).append('-').append(d.getDayOfMonth()); }
    static void time(LocalTime t, StringBuilder s) { s.append('C').append(t.getHour()).append(':').append(t.getMinute()).append(':').append(t.getSecond()).append('.').append(t.getNano()); }
    static String quote(String s) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : s.toCharArray()) { if (c == '"' || c == '\\') b.append('\\').append(c); else if (c >= 32 && c < 127) b.append(c); else b.append(String.format("\\u%04x", (int) c)); }
        return b.append('"').toString();
    }
    static String hex(byte[] b) { StringBuilder s = new StringBuilder(); for (byte x : b) s.append(String.format("%02x", x)); return s.toString(); }
    /** The dump of 2.0.52 cannot read a decimal whose unscaled value is packed into three bytes: "~". */
    static String text(byte[] b) {
        try { return JSONB.toJSONString(b).replaceAll("[\r\n\t]", ""); }
        catch (JSONException e) { if (e.getMessage().startsWith("readInt32Value not support")) return "~"; throw e; }
    }
    static String escape(String s) { StringBuilder b = new StringBuilder(); for (char c : s.toCharArray()) { if (c >= 32 && c < 127) b.append(c); else b.append(String.format("\\u%04x", (int) c)); } return b.toString(); }
    static byte[] unhex(String s) { byte[] r = new byte[s.length() / 2]; for (int i = 0; i < r.length; i++) r[i] = (byte) Integer.parseInt(s.substring(2 * i, 2 * i + 2), 16); return r; }
}

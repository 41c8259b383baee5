import com.alibaba.fastjson2.*;
import java.io.*;
import java.util.*;

/**
 * What fastjson2 reads and writes, one line in, one line out: D hex answers the JSON text of a JSONB
 * value (the library's own dump), P hex the class and text of what it parses it to, and V text what
 * Dubbo's Version says of a version's response attachments, and F hex the JSON text of each write in
 * a whole Dubbo frame, TAB between them. Answers begin with OK or ERR.
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
    /** The dump of 2.0.52 cannot read a decimal whose unscaled value is packed into three bytes: "~". */
    static String text(byte[] b) {
        try { return JSONB.toJSONString(b).replaceAll("[\r\n\t]", ""); }
        catch (JSONException e) { if (e.getMessage().startsWith("readInt32Value not support")) return "~"; throw e; }
    }
    static String escape(String s) { StringBuilder b = new StringBuilder(); for (char c : s.toCharArray()) { if (c >= 32 && c < 127) b.append(c); else b.append(String.format("\\u%04x", (int) c)); } return b.toString(); }
    static byte[] unhex(String s) { byte[] r = new byte[s.length() / 2]; for (int i = 0; i < r.length; i++) r[i] = (byte) Integer.parseInt(s.substring(2 * i, 2 * i + 2), 16); return r; }
}

import com.alibaba.com.caucho.hessian.io.*;
import java.io.*;
import java.lang.reflect.Field;
import java.util.*;

/**
 * What hessian-lite reads and writes, one line in, one line out:
 *
 *   D hex   every value in the bytes, as text          F hex   the parts of a whole frame, as text
 *   R hex   the same values, written again             J hex   the same as D with Java's own classes
 *
 * Answers begin with OK or ERR. D, R and F replace the library's mapping to Java classes by one that
 * keeps the structure (class, field and type names, order, identity), so that everything the bytes
 * say can be compared; reading, chunks, tables and packing are the library's. The text:
 *
 *   N T F 5 5L d400921fb54442d18 t1700000000123 x00ff "a\u4e2d" @3
 *   [1,2]  "type"[1,2]  {k=v,k=v}  "type"{k=v}  "class"(field=v,field=v)
 *
 * Numbers after @ count lists, maps and objects in the order in which they are first met.
 */
public class HessianOracle {
    static final class Node {
        final char kind; final String name; final List<Object> parts = new ArrayList<>(); String[] fields;
        Node(char kind, String name) { this.kind = kind; this.name = name; }
    }

    static class Structure extends AbstractDeserializer {
        final String type;
        Structure(String type) { this.type = type; }
        public Class getType() { return Node.class; }
        public Object readObject(AbstractHessianInput in, String[] fields) throws IOException {
            Node n = new Node('(', type); n.fields = fields; in.addRef(n);
            for (String ignored : fields) n.parts.add(in.readObject());
            return n;
        }
        public Object readObject(AbstractHessianInput in, Object[] fields) throws IOException { return readObject(in, (String[]) fields); }
        public Object readList(AbstractHessianInput in, int length) throws IOException {
            Node n = new Node('[', type); in.addRef(n);
            while (!in.isEnd()) n.parts.add(in.readObject());
            in.readEnd();
            return n;
        }
        public Object readList(AbstractHessianInput in, int length, Class<?> c) throws IOException { return readList(in, length); }
        public Object readLengthList(AbstractHessianInput in, int length) throws IOException {
            Node n = new Node('[', type); in.addRef(n);
            for (int i = 0; i < length; i++) n.parts.add(in.readObject());
            return n;
        }
        public Object readLengthList(AbstractHessianInput in, int length, Class<?> c) throws IOException { return readLengthList(in, length); }
        public Object readMap(AbstractHessianInput in) throws IOException {
            Node n = new Node('{', type); in.addRef(n);
            while (!in.isEnd()) { n.parts.add(in.readObject()); n.parts.add(in.readObject()); }
            in.readEnd();
            return n;
        }
        public Object readMap(AbstractHessianInput in, Class<?> k, Class<?> v) throws IOException { return readMap(in); }
    }

    static class StructureWriter extends AbstractSerializer {
        public void writeObject(Object o, AbstractHessianOutput out) throws IOException {
            if (out.addRef(o)) return;
            Node n = (Node) o;
            if (n.kind == '[') { if (out.writeListBegin(n.parts.size(), n.name)) throw new IOException("an end is asked for"); for (Object p : n.parts) out.writeObject(p); return; }
            if (n.kind == '{') { out.writeMapBegin(n.name); for (Object p : n.parts) out.writeObject(p); out.writeMapEnd(); return; }
            int ref = out.writeObjectBegin(n.name);
            if (ref == -1) {
                out.writeInt(n.fields.length);
                for (String f : n.fields) out.writeString(f);
                out.writeObjectBegin(n.name);
            }
            for (Object p : n.parts) out.writeObject(p);
        }
    }

    static class StructureFactory extends SerializerFactory {
        public Deserializer getObjectDeserializer(String type) { return new Structure(type); }
        public Deserializer getObjectDeserializer(String type, Class c) { return new Structure(type); }
        public Deserializer getListDeserializer(String type) { return new Structure(type); }
        public Deserializer getListDeserializer(String type, Class c) { return new Structure(type); }
        public Deserializer getDeserializer(String type) { return new Structure(type); }
        public Deserializer getDeserializer(Class c) { return new Structure(null); }
        public Object readList(AbstractHessianInput in, int n, String type) throws IOException { return n < 0 ? new Structure(type).readList(in, n) : new Structure(type).readLengthList(in, n); }
        public Object readMap(AbstractHessianInput in, String type) throws IOException { return new Structure("".equals(type) ? null : type).readMap(in); }
        public Object readMap(AbstractHessianInput in, String type, Class<?> k, Class<?> v) throws IOException { return readMap(in, type); }
        public Object readObject(AbstractHessianInput in, String type, String[] f) throws IOException { return new Structure(type).readObject(in, f); }
        public Serializer getSerializer(Class c) throws HessianProtocolException { return c == Node.class ? new StructureWriter() : super.getSerializer(c); }
    }

    static final SerializerFactory STRUCTURE = new StructureFactory(), JAVA = new SerializerFactory();

    static final class Input {
        final ByteArrayInputStream bytes; final Hessian2Input in;
        Input(byte[] b, int at, SerializerFactory f) { bytes = new ByteArrayInputStream(b, at, b.length - at); in = new Hessian2Input(bytes); in.setSerializerFactory(f); }
        Object value() throws IOException { return in.readObject(); }
        boolean more() throws Exception { return OFFSET.getInt(in) < LENGTH.getInt(in) || bytes.available() > 0; }
    }
    static final Field OFFSET = field("_offset"), LENGTH = field("_length");
    static Field field(String name) { try { Field f = Hessian2Input.class.getDeclaredField(name); f.setAccessible(true); return f; } catch (Exception e) { throw new Error(e); } }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "US-ASCII"), 1 << 20);
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, "US-ASCII");
        System.setErr(new PrintStream(OutputStream.nullOutputStream()));
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try { answer = "OK " + answer(line.charAt(0), unhex(line.substring(1).trim())); }
            catch (Throwable t) { answer = "ERR " + t.getClass().getName() + " " + quote(String.valueOf(t.getMessage())); }
            out.println(answer);
            if (!in.ready()) out.flush();
        }
        out.flush();
    }

    static String answer(char what, byte[] b) throws Exception {
        StringBuilder text = new StringBuilder();
        Map<Object, Integer> seen = new IdentityHashMap<>();
        switch (what) {
            case 'D': { Input i = new Input(b, 0, STRUCTURE); while (i.more()) { show(i.value(), seen, text); text.append(' '); } return text.toString().trim(); }
            case 'J': { Input i = new Input(b, 0, JAVA); while (i.more()) { Object v = i.value(); text.append(v == null ? "null" : v.getClass().getName() + ":" + quote(String.valueOf(v))).append(' '); } return text.toString().trim(); }
            case 'R': {
                Input i = new Input(b, 0, STRUCTURE);
                ByteArrayOutputStream os = new ByteArrayOutputStream();
                Hessian2Output o = new Hessian2Output(os);
                o.setSerializerFactory(STRUCTURE);
                while (i.more()) o.writeObject(i.value());
                o.flush();
                return hex(os.toByteArray());
            }
            case 'F': return frame(b, seen, text);
            default: throw new IOException("no such question");
        }
    }

    static String frame(byte[] b, Map<Object, Integer> seen, StringBuilder text) throws Exception {
        Input i = new Input(b, 16, STRUCTURE);
        if ((b[2] & 0x20) != 0) { text.append("event "); show(i.value(), seen, text); }
        else if ((b[2] & 0x80) != 0) {
            text.append("request");
            String types = null;
            for (int n = 0; n < 5; n++) { types = i.in.readString(); text.append(' ').append(types == null ? "N" : quote(types)); }
            for (int n = count(types); n > 0; n--) { text.append(' '); show(i.value(), seen, text); }
            text.append(" | "); show(i.value(), seen, text);
        } else if (b[3] != 20) { String s = i.in.readString(); text.append("status ").append(b[3]).append(' ').append(s == null ? "N" : quote(s)); }
        else {
            int flag = i.in.readInt();
            text.append("result ").append(flag);
            if (flag != 2 && flag != 5) { text.append(' '); show(i.value(), seen, text); }
            if (flag > 2) { text.append(" | "); show(i.value(), seen, text); }
        }
        return i.more() ? text.append(" and more").toString() : text.toString();
    }

    static int count(String types) {
        int n = 0;
        for (int i = 0; i < types.length(); i++, n++) { while (types.charAt(i) == '[') i++; if (types.charAt(i) == 'L') i = types.indexOf(';', i); }
        return n;
    }

    static void show(Object root, Map<Object, Integer> seen, StringBuilder s) {
        Deque<Object> todo = new ArrayDeque<>();
        todo.push(root == null ? NULL : root);
        while (!todo.isEmpty()) {
            Object v = todo.pop();
            if (v instanceof Verbatim) s.append(((Verbatim) v).text);
            else if (v == NULL) s.append('N');
            else if (v instanceof Boolean) s.append((Boolean) v ? 'T' : 'F');
            else if (v instanceof Integer) s.append(v);
            else if (v instanceof Long) s.append(v).append('L');
            else if (v instanceof Double) s.append(String.format("d%016x", Double.doubleToRawLongBits((Double) v)));
            else if (v instanceof Date) s.append('t').append(((Date) v).getTime());
            else if (v instanceof String) s.append(quote((String) v));
            else if (v instanceof byte[]) s.append('x').append(hex((byte[]) v));
            else if (!(v instanceof Node)) s.append('?').append(v.getClass().getName());
            else if (seen.containsKey(v)) s.append('@').append(seen.get(v));
            else {
                Node n = (Node) v;
                seen.put(n, seen.size());
                if (n.name != null) s.append(quote(n.name));
                s.append(n.kind);
                todo.push(new Verbatim(n.kind == '[' ? "]" : n.kind == '{' ? "}" : ")"));
                for (int i = n.parts.size() - 1; i >= 0; i--) {
                    Object p = n.parts.get(i);
                    todo.push(p == null ? NULL : p);
                    String before = i == 0 ? "" : n.kind == '{' && i % 2 == 1 ? "=" : ",";
                    todo.push(new Verbatim(n.kind == '(' ? before + escape(n.fields[i]) + "=" : before));
                }
            }
        }
    }
    static final Object NULL = new Object();
    static final class Verbatim { final String text; Verbatim(String text) { this.text = text; } }

    static String quote(String s) { return '"' + escape(s) + '"'; }
    static String escape(String s) {
        StringBuilder b = new StringBuilder();
        for (char c : s.toCharArray()) { if (c == '"' || c == '\\') b.append('\\').append(c); else if (c >= 32 && c < 127) b.append(c); else b.append(String.format("\\u%04x", (int) c)); }
        return b.toString();
    }
    static byte[] unhex(String s) { byte[] r = new byte[s.length() / 2]; for (int i = 0; i < r.length; i++) r[i] = (byte) Integer.parseInt(s.substring(2 * i, 2 * i + 2), 16); return r; }
    static String hex(byte[] b) { StringBuilder s = new StringBuilder(); for (byte x : b) s.append(Character.forDigit(x >> 4 & 15, 16)).append(Character.forDigit(x & 15, 16)); return s.toString(); }
}

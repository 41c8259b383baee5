package com.acme;

import java.io.IOException;
import java.io.Reader;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/**
 * A properties file whose keys are the setters of Dubbo's configuration
 * objects: {@code registry.address}, {@code protocol.0.port},
 * {@code service.1.parameters.region}. So every setting that the Dubbo at hand
 * knows can be used, and one that it does not know is an error and not a
 * setting that silently does nothing.
 */
final class Settings {
    private final Map<String, String> values = new TreeMap<>();

    Settings(Path file) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            properties.load(reader);
        }
        properties.forEach((key, value) -> values.put((String) key, (String) value));
    }

    private Settings() {
    }

    /** Words of a command, {@code key=value}. */
    Settings(List<String> words) {
        for (String word : words) {
            String[] pair = word.split("=", 2);
            values.put(pair[0], pair[1]);
        }
    }

    /** What stands under {@code prefix.}, the prefix taken off. */
    Settings under(String prefix) {
        Settings part = new Settings();
        values.forEach((key, value) -> {
            if (key.startsWith(prefix + ".")) {
                part.values.put(key.substring(prefix.length() + 1), value);
            }
        });
        return part;
    }

    boolean isEmpty() {
        return values.isEmpty();
    }

    /** The value of a setting that is for the program and not for Dubbo; it does not reach {@link #into}. */
    String take(String key) {
        return values.remove(key);
    }

    String get(String key) {
        return values.get(key);
    }

    /** Calls a setter of {@code target} per key; {@code parameters.*} become one map. */
    <T> T into(T target) throws ReflectiveOperationException {
        Map<String, String> parameters = new LinkedHashMap<>();
        for (Map.Entry<String, String> entry : values.entrySet()) {
            String key = entry.getKey();
            if (key.startsWith("parameters.")) {
                parameters.put(key.substring("parameters.".length()), entry.getValue());
            } else {
                set(target, key, entry.getValue());
            }
        }
        if (!parameters.isEmpty()) {
            target.getClass().getMethod("setParameters", Map.class).invoke(target, parameters);
        }
        return target;
    }

    private static void set(Object target, String property, String value) throws ReflectiveOperationException {
        String name = "set" + Character.toUpperCase(property.charAt(0)) + property.substring(1);
        for (Method method : target.getClass().getMethods()) {
            if (!method.getName().equals(name) || method.getParameterCount() != 1) {
                continue;
            }
            Class<?> type = method.getParameterTypes()[0];
            if (type == String.class) {
                method.invoke(target, value);
                return;
            } else if (type == Integer.class || type == int.class) {
                method.invoke(target, Integer.valueOf(value));
                return;
            } else if (type == Boolean.class || type == boolean.class) {
                method.invoke(target, Boolean.valueOf(value));
                return;
            }
        }
        throw new IllegalArgumentException(target.getClass().getName() + " has no setting \"" + property + "\"");
    }
}

// What dubbo-go-hessian2 reads and writes, one line in, one line out:
//
//	D hex   every value in the bytes, as text
//	R hex   the same values, written again
//
// Answers begin with OK or ERR. To this library a class that was not registered (classes.go) is a map
// from field names, or nothing; a class name of a list or map is lost, and a map has no order. So the
// text is that of HessianOracle.java without what is lost: an object is a map, lists and maps have no
// names, entries are sorted by their text, and of values that are met again only those that hold
// themselves are marked: ^n is what stands n levels further out.
package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"
	"unicode/utf16"

	hessian "github.com/apache/dubbo-go-hessian2"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	for lines.Scan() {
		fmt.Fprintln(out, answer(lines.Text()))
		out.Flush()
	}
}

func answer(line string) (text string) {
	defer func() {
		if panicked := recover(); panicked != nil {
			text = "ERR panic " + quote(fmt.Sprint(panicked))
		}
	}()
	bytes, err := hex.DecodeString(line[2:])
	if err != nil {
		return "ERR " + quote(err.Error())
	}
	values, err := decode(bytes)
	if err != nil {
		return "ERR " + quote(err.Error())
	}
	if line[0] == 'R' {
		encoder := hessian.NewEncoder()
		for _, value := range values {
			if err := encoder.Encode(value); err != nil {
				return "ERR " + quote(err.Error())
			}
		}
		return "OK " + hex.EncodeToString(encoder.Buffer())
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = show(reflect.ValueOf(value), nil)
	}
	return "OK " + strings.Join(texts, " ")
}

func decode(bytes []byte) (values []interface{}, err error) {
	decoder := hessian.NewDecoder(bytes)
	for {
		value, err := decoder.Decode()
		switch {
		case err == nil:
			values = append(values, value)
		case len(values) > 0 && (errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), "EOF")):
			return values, nil
		default:
			return nil, err
		}
	}
}

func show(v reflect.Value, outer []uintptr) string {
	at := uintptr(0)
	for v.IsValid() && (v.Kind() == reflect.Interface || v.Kind() == reflect.Ptr) {
		if v.Kind() == reflect.Ptr {
			at = v.Pointer()
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return "N"
	}
	if v.CanInterface() {
		if date, is := v.Interface().(time.Time); is {
			return fmt.Sprintf("t%d", date.UnixMilli())
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return "T"
		}
		return "F"
	case reflect.Int8, reflect.Int16, reflect.Int32:
		return fmt.Sprint(v.Int())
	case reflect.Int, reflect.Int64:
		return fmt.Sprintf("%dL", v.Int())
	case reflect.Float32, reflect.Float64:
		return fmt.Sprintf("d%016x", math.Float64bits(v.Float()))
	case reflect.String:
		return quote(v.String())
	case reflect.Slice:
		return showList(v, outer)
	case reflect.Map:
		return showMap(v, outer)
	case reflect.Struct:
		return showStruct(v, at, outer)
	}
	return "?" + v.Type().String()
}

func showList(v reflect.Value, outer []uintptr) string {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return "x" + hex.EncodeToString(v.Bytes())
	}
	// Of empty slices all have one address.
	at := uintptr(0)
	if v.Len() > 0 {
		at = v.Pointer()
	}
	if text := above(at, outer); text != "" {
		return text
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = show(v.Index(i), append(outer, at))
	}
	return "[" + strings.Join(items, ",") + "]"
}

func showMap(v reflect.Value, outer []uintptr) string {
	at := v.Pointer()
	if text := above(at, outer); text != "" {
		return text
	}
	entries := []string{}
	for _, key := range v.MapKeys() {
		// The class of an object that became a map.
		if key.CanInterface() && key.Interface() == "_class" {
			continue
		}
		inner := append(outer, at)
		entries = append(entries, show(key, inner)+"="+show(v.MapIndex(key), inner))
	}
	sort.Strings(entries)
	return "{" + strings.Join(entries, ",") + "}"
}

// A registered class, or what the library has a type of its own for.
func showStruct(v reflect.Value, at uintptr, outer []uintptr) string {
	if text := above(at, outer); text != "" {
		return text
	}
	if strings.HasSuffix(v.Type().String(), "big.Decimal") && v.CanAddr() {
		return "{\"value\"=" + quote(fmt.Sprint(v.Addr().Interface())) + "}"
	}
	fields := []string{}
	for i := 0; i < v.NumField(); i++ {
		field := v.Type().Field(i)
		name, ours := field.Tag.Lookup("hessian")
		if !ours {
			return "?" + v.Type().String()
		}
		fields = append(fields, quote(name)+"="+show(v.Field(i), append(outer, at)))
	}
	sort.Strings(fields)
	return "{" + strings.Join(fields, ",") + "}"
}

func above(at uintptr, outer []uintptr) string {
	for i := len(outer) - 1; i >= 0 && at != 0; i-- {
		if outer[i] == at {
			return fmt.Sprintf("^%d", len(outer)-i)
		}
	}
	return ""
}

func quote(text string) string {
	var all strings.Builder
	all.WriteByte('"')
	for _, unit := range utf16.Encode([]rune(text)) {
		switch {
		case unit == '"' || unit == '\\':
			all.WriteByte('\\')
			all.WriteByte(byte(unit))
		case unit >= 0x20 && unit < 0x7f:
			all.WriteByte(byte(unit))
		default:
			fmt.Fprintf(&all, "\\u%04x", unit)
		}
	}
	all.WriteByte('"')
	return all.String()
}

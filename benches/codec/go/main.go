// dubbo-go-hessian2 as a proxy uses it: prints row, sample and nanoseconds.
//
//	mosn FILE    with pools of decoders, as MOSN has them
//	fresh FILE   a decoder for each frame
//
// peek: the four strings by which MOSN routes, with the cheap decoder; index: all strings, the
// arguments skipped and the attachments read, with the decoder that skips; decode and encode: all
// values.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	hessian "github.com/apache/dubbo-go-hessian2"
)

var (
	cheap = sync.Pool{New: func() interface{} { return hessian.NewCheapDecoderWithSkip(nil) }}
	skips = sync.Pool{New: func() interface{} { return hessian.NewDecoderWithSkip(nil) }}
	sink  interface{}
)

type sample struct {
	name string
	body []byte
}

func main() {
	pooled := os.Args[1] == "mosn"
	all := samples(os.Args[2])
	for _, s := range all {
		measure("peek", s.name, func() { peek(s.body, pooled) })
		measure("index", s.name, func() { index(s.body, pooled) })
	}
	// A proxy knows no classes, and skipping gets slower with each that it knows. All values can
	// only be had with them.
	for _, class := range []hessian.POJO{&order{}, &status{}, &item{}, &row{}} {
		hessian.RegisterPOJO(class)
	}
	for _, s := range all {
		values := decode(s.body)
		measure("decode", s.name, func() { sink = decode(s.body) })
		measure("encode", s.name, func() { encode(values) })
	}
}

type order struct {
	ID     int64       `hessian:"id"`
	Status interface{} `hessian:"status"`
	Total  interface{} `hessian:"total"`
	Items  interface{} `hessian:"items"`
	Labels interface{} `hessian:"labels"`
}

type status struct {
	Name string `hessian:"name"`
}

type item struct {
	Sku      string  `hessian:"sku"`
	Quantity int32   `hessian:"quantity"`
	Price    float64 `hessian:"price"`
	Gift     bool    `hessian:"gift"`
	Note     string  `hessian:"note"`
}

type row struct {
	ID    int32   `hessian:"id"`
	Name  string  `hessian:"name"`
	Score float64 `hessian:"score"`
}

func (*order) JavaClassName() string  { return "com.acme.orders.Order" }
func (*status) JavaClassName() string { return "com.acme.orders.Status" }
func (*item) JavaClassName() string   { return "com.acme.orders.Item" }
func (*row) JavaClassName() string    { return "com.acme.orders.Row" }

func samples(path string) (all []sample) {
	file, err := os.Open(path)
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), "\t")
		frame, err := hex.DecodeString(text)
		check(err)
		all = append(all, sample{name, frame[16:]})
	}
	return all
}

func peek(body []byte, pooled bool) {
	var decoder *hessian.Decoder
	if pooled {
		decoder = cheap.Get().(*hessian.Decoder)
		defer cheap.Put(decoder)
		decoder.Reset(body)
	} else {
		decoder = hessian.NewCheapDecoderWithSkip(body)
	}
	for i := 0; i < 4; i++ {
		value, err := decoder.Decode()
		check(err)
		sink = value.(string)
	}
}

func index(body []byte, pooled bool) {
	var decoder *hessian.Decoder
	if pooled {
		decoder = skips.Get().(*hessian.Decoder)
		defer skips.Put(decoder)
		decoder.Reset(body)
	} else {
		decoder = hessian.NewDecoderWithSkip(body)
	}
	var value interface{}
	var err error
	for i := 0; i < 5; i++ {
		value, err = decoder.Decode()
		check(err)
	}
	for i := arguments(value.(string)); i > 0; i-- {
		_, err = decoder.Decode()
		check(err)
	}
	value, err = decoder.Decode()
	check(err)
	attachments := map[string]string{}
	for key, value := range value.(map[interface{}]interface{}) {
		if text, is := value.(string); is {
			attachments[key.(string)] = text
		}
	}
	if len(attachments) != 9 {
		panic("not nine attachments")
	}
	sink = attachments
}

func decode(body []byte) []interface{} {
	decoder := hessian.NewDecoder(body)
	values := make([]interface{}, 0, 10)
	for i := 0; i < 5; i++ {
		value, err := decoder.Decode()
		check(err)
		values = append(values, value)
	}
	for i := arguments(values[4].(string)); i >= 0; i-- {
		value, err := decoder.Decode()
		check(err)
		values = append(values, value)
	}
	return values
}

func encode(values []interface{}) {
	encoder := hessian.NewEncoder()
	for _, value := range values {
		check(encoder.Encode(value))
	}
	sink = encoder.Buffer()
}

func arguments(types string) (count int) {
	for at := 0; at < len(types); at++ {
		for types[at] == '[' {
			at++
		}
		if types[at] == 'L' {
			at += strings.IndexByte(types[at:], ';')
		}
		count++
	}
	return count
}

// The best of 30 runs of at least 5 ms.
func measure(row, sample string, once func()) {
	timed := func(rounds int) time.Duration {
		start := time.Now()
		for i := 0; i < rounds; i++ {
			once()
		}
		return time.Since(start)
	}
	rounds := 1
	for timed(rounds) < 5*time.Millisecond {
		rounds *= 2
	}
	best := time.Duration(math.MaxInt64)
	for i := 0; i < 30; i++ {
		best = min(best, timed(rounds))
	}
	fmt.Printf("%s\t%s\t%f\n", row, sample, float64(best.Nanoseconds())/float64(rounds))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

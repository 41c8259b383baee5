package main

import hessian "github.com/apache/dubbo-go-hessian2"

// The classes of values.rs: p.C0 to p.C19, of which p.Cn has the first n modulo 7 of six fields.

type c0 struct{}
type c1 struct {
	A interface{} `hessian:"a"`
}
type c2 struct {
	A interface{} `hessian:"a"`
	B interface{} `hessian:"b"`
}
type c3 struct {
	A     interface{} `hessian:"a"`
	B     interface{} `hessian:"b"`
	Field interface{} `hessian:"field"`
}
type c4 struct {
	A     interface{} `hessian:"a"`
	B     interface{} `hessian:"b"`
	Field interface{} `hessian:"field"`
	Naive interface{} `hessian:"naïve"`
}
type c5 struct {
	A     interface{} `hessian:"a"`
	B     interface{} `hessian:"b"`
	Field interface{} `hessian:"field"`
	Naive interface{} `hessian:"naïve"`
	Next  interface{} `hessian:"次"`
}
type c6 struct {
	A     interface{} `hessian:"a"`
	B     interface{} `hessian:"b"`
	Field interface{} `hessian:"field"`
	Naive interface{} `hessian:"naïve"`
	Next  interface{} `hessian:"次"`
	Z     interface{} `hessian:"z"`
}

type (
	c7  c0
	c8  c1
	c9  c2
	c10 c3
	c11 c4
	c12 c5
	c13 c6
	c14 c0
	c15 c1
	c16 c2
	c17 c3
	c18 c4
	c19 c5
)

func (*c0) JavaClassName() string  { return "p.C0" }
func (*c1) JavaClassName() string  { return "p.C1" }
func (*c2) JavaClassName() string  { return "p.C2" }
func (*c3) JavaClassName() string  { return "p.C3" }
func (*c4) JavaClassName() string  { return "p.C4" }
func (*c5) JavaClassName() string  { return "p.C5" }
func (*c6) JavaClassName() string  { return "p.C6" }
func (*c7) JavaClassName() string  { return "p.C7" }
func (*c8) JavaClassName() string  { return "p.C8" }
func (*c9) JavaClassName() string  { return "p.C9" }
func (*c10) JavaClassName() string { return "p.C10" }
func (*c11) JavaClassName() string { return "p.C11" }
func (*c12) JavaClassName() string { return "p.C12" }
func (*c13) JavaClassName() string { return "p.C13" }
func (*c14) JavaClassName() string { return "p.C14" }
func (*c15) JavaClassName() string { return "p.C15" }
func (*c16) JavaClassName() string { return "p.C16" }
func (*c17) JavaClassName() string { return "p.C17" }
func (*c18) JavaClassName() string { return "p.C18" }
func (*c19) JavaClassName() string { return "p.C19" }

func init() {
	for _, class := range []hessian.POJO{
		&c0{}, &c1{}, &c2{}, &c3{}, &c4{}, &c5{}, &c6{}, &c7{}, &c8{}, &c9{},
		&c10{}, &c11{}, &c12{}, &c13{}, &c14{}, &c15{}, &c16{}, &c17{}, &c18{}, &c19{},
	} {
		hessian.RegisterPOJO(class)
	}
}

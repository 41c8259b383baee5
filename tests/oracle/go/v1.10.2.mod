module dubbo-mesh/hessian-oracle

go 1.21

require github.com/apache/dubbo-go-hessian2 v1.10.2

require (
	github.com/dubbogo/gost v1.9.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)

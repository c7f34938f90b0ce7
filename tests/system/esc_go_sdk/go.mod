module esc_go_sdk

go 1.23.0

require github.com/pulumi/esc-sdk/sdk v0.14.0

require (
	github.com/kr/text v0.2.0 // indirect
	gopkg.in/ghodss/yaml.v1 v1.0.0 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)

// The official Go SDK, which External Secrets Operator and Pulumi's CSI provider use, against the
// offline server; see esc_go_sdk.sh.
//
// usage: main URL TOKEN
package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	esc "github.com/pulumi/esc-sdk/sdk/go"
)

const org, project, name = "acme", "gosdk", "dev"

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func same(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		fmt.Fprintf(os.Stderr, "%s: got %v, want %v\n", what, got, want)
		os.Exit(1)
	}
}

func refused(err error, status, what string) {
	if err == nil || !strings.Contains(err.Error(), status) {
		fmt.Fprintf(os.Stderr, "%s: got %v, want %s\n", what, err, status)
		os.Exit(1)
	}
}

func main() {
	config := esc.NewConfiguration()
	config.Servers = esc.ServerConfigurations{{URL: os.Args[1] + "/api/esc"}}
	client := esc.NewClient(config)
	ctx := esc.NewAuthContext(os.Args[2])

	check(client.CreateEnvironment(ctx, org, project, name), "create")
	refused(client.CreateEnvironment(ctx, org, project, name), "409", "create again")
	_, err := client.UpdateEnvironmentYaml(ctx, org, project, name,
		"values: {a: 1.10, o: {k: [x, null]}, s: {fn::secret: hidden}}")
	check(err, "update")
	listed, err := client.ListEnvironments(ctx, org, nil)
	check(err, "list")
	same(listed.Environments[0].Name, name, "list")

	environment, values, err := client.OpenAndReadEnvironment(ctx, org, project, name)
	check(err, "open")
	same(values["s"], "hidden", "open")
	same(environment.GetProperties()["s"].Trace.Def.Environment, project+"/"+name, "trace")
	session, err := client.OpenEnvironment(ctx, org, project, name)
	check(err, "open")
	property, value, err := client.ReadEnvironmentProperty(ctx, org, project, name, session.Id, "o.k[0]")
	check(err, "property")
	same(value, "x", "property")
	same(property.GetSecret(), false, "property")

	_, text, err := client.GetEnvironment(ctx, org, project, name)
	check(err, "get")
	same(strings.Contains(text, "ciphertext") && !strings.Contains(text, "hidden"), true, "get")
	_, text, err = client.DecryptEnvironment(ctx, org, project, name)
	check(err, "decrypt")
	same(strings.Contains(text, "hidden"), true, "decrypt")
	checked, err := client.CheckEnvironmentYaml(ctx, org,
		"values: {a: b, s: {fn::secret: x}, o: {fn::open::test: {}}, r: '${a}'}")
	check(err, "check")
	same(*checked.GetProperties()["o"].Unknown, true, "check: what is opened")
	same(checked.GetExprs()["r"].Symbol[0].Key, "a", "check: expressions")
	same(checked.GetExecutionContext().Properties != nil, true, "check: context")
	_, err = client.UpdateEnvironmentYaml(ctx, org, project, name, "values: {a: '${missing}'}")
	refused(err, "400", "update with an error")

	_, err = client.UpdateEnvironmentYaml(ctx, org, project, name, "values: {a: 2}")
	check(err, "update")
	revisions, err := client.ListEnvironmentRevisions(ctx, org, project, name)
	check(err, "revisions")
	same(revisions[0].Number, int32(3), "revisions")
	check(client.CreateEnvironmentRevisionTag(ctx, org, project, name, "stable", 2), "tag")
	_, values, err = client.OpenAndReadEnvironmentAtVersion(ctx, org, project, name, "stable")
	check(err, "open a tag")
	same(values["s"], "hidden", "open a tag")
	check(client.UpdateEnvironmentRevisionTag(ctx, org, project, name, "stable", 3), "move the tag")
	tag, err := client.GetEnvironmentRevisionTag(ctx, org, project, name, "stable")
	check(err, "get the tag")
	same(tag.Revision, int32(3), "get the tag")
	tags, err := client.ListEnvironmentRevisionTags(ctx, org, project, name)
	check(err, "tags")
	same(len(tags.Tags), 2, "tags")
	check(client.DeleteEnvironmentRevisionTag(ctx, org, project, name, "stable"), "delete the tag")

	_, err = client.CreateEnvironmentTag(ctx, org, project, name, "team", "ops")
	check(err, "environment tag")
	_, err = client.UpdateEnvironmentTag(ctx, org, project, name, "team", "ops", "team", "dev")
	check(err, "change the environment tag")
	label, err := client.GetEnvironmentTag(ctx, org, project, name, "team")
	check(err, "get the environment tag")
	same(label.GetValue(), "dev", "get the environment tag")
	_, err = client.ListEnvironmentTags(ctx, org, project, name)
	check(err, "environment tags")
	check(client.DeleteEnvironmentTag(ctx, org, project, name, "team"), "delete the environment tag")

	check(client.CloneEnvironment(ctx, org, project, name, project, "copy",
		&esc.CloneEnvironmentOptions{PreserveHistory: true}), "clone")
	check(client.DeleteEnvironment(ctx, org, project, "copy"), "delete")
	check(client.DeleteEnvironment(ctx, org, project, name), "delete")
	_, _, err = client.GetEnvironment(ctx, org, project, name)
	refused(err, "404", "get what was deleted")
	fmt.Println("github.com/pulumi/esc-sdk: all as expected")
}

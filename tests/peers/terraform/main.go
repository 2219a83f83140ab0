// SPDX-License-Identifier: Apache-2.0

// A Terraform provider that stands in for the one of CockroachDB Cloud, whose module the module proxy refuses where this was built. It
// has the same address, configuration, resources and attributes as far as clusters and customer-managed keys go, and makes the calls of
// the real one, in its order and with its waiting, as far as that one's public documentation and source were read; no code was copied.
// What is real in this test is OpenTofu, which compares each reply with the plan, and Go's HTTP and JSON. The real provider has
// not been run; KEYSTEAD_COCKROACH_PROVIDER=DIR makes the same test run one that somebody has built.
package main

import (
	"context"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

type standIn struct{}

func (standIn) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "cockroach"
}

func (standIn) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{}
}

func (standIn) Configure(_ context.Context, _ provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	c := &client{server: os.Getenv("COCKROACH_SERVER"), key: os.Getenv("COCKROACH_API_KEY")}
	if c.server == "" || c.key == "" {
		resp.Diagnostics.AddError("Not configured", "COCKROACH_SERVER and COCKROACH_API_KEY must be set")
		return
	}
	resp.ResourceData = c
}

func (standIn) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &clusterResource{} },
		func() resource.Resource { return &cmekResource{} },
	}
}

func (standIn) DataSources(context.Context) []func() datasource.DataSource { return nil }

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return standIn{} },
		providerserver.ServeOpts{Address: "registry.opentofu.org/cockroachdb/cockroach"})
	if err != nil {
		panic(err)
	}
}

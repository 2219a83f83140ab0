// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sort"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type regionModel struct {
	Name      types.String `tfsdk:"name"`
	NodeCount types.Int64  `tfsdk:"node_count"`
}

type dedicatedModel struct {
	StorageGib     types.Int64 `tfsdk:"storage_gib"`
	NumVirtualCpus types.Int64 `tfsdk:"num_virtual_cpus"`
}

type clusterModel struct {
	Id               types.String    `tfsdk:"id"`
	Name             types.String    `tfsdk:"name"`
	CloudProvider    types.String    `tfsdk:"cloud_provider"`
	Plan             types.String    `tfsdk:"plan"`
	CockroachVersion types.String    `tfsdk:"cockroach_version"`
	CreatorId        types.String    `tfsdk:"creator_id"`
	State            types.String    `tfsdk:"state"`
	Dedicated        *dedicatedModel `tfsdk:"dedicated"`
	Regions          []regionModel   `tfsdk:"regions"`
	Labels           types.Map       `tfsdk:"labels"`
}

type clusterResource struct{ client *client }

var keep = []planmodifier.String{stringplanmodifier.UseStateForUnknown()}

func regionAttribute(required bool, text string) schema.ListNestedAttribute {
	return schema.ListNestedAttribute{Required: required, Optional: !required, MarkdownDescription: text,
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"name":       schema.StringAttribute{Required: true},
			"node_count": schema.Int64Attribute{Required: true},
		}}}
}

func (r *clusterResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "cockroach_cluster"
}

func (r *clusterResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":                schema.StringAttribute{Computed: true, PlanModifiers: keep},
		"name":              schema.StringAttribute{Required: true},
		"cloud_provider":    schema.StringAttribute{Required: true},
		"plan":              schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: keep},
		"cockroach_version": schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: keep},
		"creator_id":        schema.StringAttribute{Computed: true, PlanModifiers: keep},
		"state":             schema.StringAttribute{Computed: true},
		"dedicated": schema.SingleNestedAttribute{Required: true, Attributes: map[string]schema.Attribute{
			"storage_gib":      schema.Int64Attribute{Required: true},
			"num_virtual_cpus": schema.Int64Attribute{Required: true},
		}},
		"regions": regionAttribute(true, "of the cluster"),
		"labels":  schema.MapAttribute{Optional: true, Computed: true, ElementType: types.StringType},
	}}
}

func (r *clusterResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	r.client, _ = req.ProviderData.(*client)
}

func nodesOf(regions []regionModel) map[string]int64 {
	nodes := map[string]int64{}
	for _, region := range regions {
		nodes[region.Name.ValueString()] = region.NodeCount.ValueInt64()
	}
	return nodes
}

// load puts what is so into the state; regions in the order of the plan, without those that another resource looks after.
func (m *clusterModel) load(ctx context.Context, now *cluster, plan []regionModel) {
	order := map[string]int{}
	for i, region := range plan {
		order[region.Name.ValueString()] = i
	}
	sort.SliceStable(now.Regions, func(i, j int) bool { return order[now.Regions[i].Name] < order[now.Regions[j].Name] })
	m.Regions = nil
	for _, region := range now.Regions {
		if _, ok := order[region.Name]; ok || len(plan) == 0 {
			m.Regions = append(m.Regions, regionModel{types.StringValue(region.Name), types.Int64Value(int64(region.NodeCount))})
		}
	}
	m.Id, m.Name = types.StringValue(now.Id), types.StringValue(now.Name)
	m.CloudProvider, m.Plan = types.StringValue(now.CloudProvider), types.StringValue(now.Plan)
	m.CreatorId, m.State = types.StringValue(now.CreatorId), types.StringValue(now.State)
	m.CockroachVersion = types.StringValue(now.CockroachVersion[:strings.LastIndex(now.CockroachVersion, ".")])
	m.Dedicated = &dedicatedModel{types.Int64Value(int64(now.Config.Dedicated.StorageGib)),
		types.Int64Value(int64(now.Config.Dedicated.NumVirtualCpus))}
	m.Labels, _ = types.MapValueFrom(ctx, types.StringType, now.Labels)
}

func (r *clusterResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan clusterModel
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	spec := map[string]any{
		"delete_protection": "DISABLED",
		"dedicated": map[string]any{
			"region_nodes": nodesOf(plan.Regions),
			"hardware": map[string]any{"storage_gib": plan.Dedicated.StorageGib.ValueInt64(),
				"machine_spec": map[string]any{"num_virtual_cpus": plan.Dedicated.NumVirtualCpus.ValueInt64()}},
			"supports_cluster_virtualization": false,
		},
	}
	if !plan.Plan.IsUnknown() && !plan.Plan.IsNull() {
		spec["plan"] = plan.Plan.ValueString()
	}
	if !plan.Labels.IsUnknown() && !plan.Labels.IsNull() {
		labels := map[string]string{}
		resp.Diagnostics.Append(plan.Labels.ElementsAs(ctx, &labels, false)...)
		spec["labels"] = labels
	}
	var now cluster
	body := map[string]any{"name": plan.Name.ValueString(), "provider": plan.CloudProvider.ValueString(), "spec": spec}
	if err := r.client.call("POST", "clusters", body, &now); err != nil {
		resp.Diagnostics.AddError("Could not create the cluster", err.Error())
		return
	}
	if err := r.client.waitCluster(now.Id, &now); err != nil {
		resp.Diagnostics.AddError("Cluster creation failed", err.Error())
		return
	}
	if err := r.client.call("GET", "clusters/"+now.Id+"/backups-config", nil, &backups{}); err != nil {
		resp.Diagnostics.AddError("No backup configuration", err.Error())
		return
	}
	var state clusterModel
	state.load(ctx, &now, plan.Regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *clusterResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state clusterModel
	var now cluster
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.client.call("GET", "clusters/"+state.Id.ValueString(), nil, &now)
	if statusOf(err) == 404 || (err == nil && now.State == "DELETED") {
		resp.State.RemoveResource(ctx)
		return
	}
	if err == nil {
		err = r.client.call("GET", "clusters/"+now.Id+"/backups-config", nil, &backups{})
	}
	if err != nil {
		resp.Diagnostics.AddError("Could not read the cluster", err.Error())
		return
	}
	state.load(ctx, &now, state.Regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *clusterResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan clusterModel
	var now cluster
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	labels := map[string]string{}
	resp.Diagnostics.Append(plan.Labels.ElementsAs(ctx, &labels, false)...)
	body := map[string]any{"labels": labels, "dedicated": map[string]any{
		"hardware": map[string]any{"storage_gib": plan.Dedicated.StorageGib.ValueInt64(),
			"machine_spec": map[string]any{"num_virtual_cpus": plan.Dedicated.NumVirtualCpus.ValueInt64()}}}}
	if err := r.client.call("PATCH", "clusters/"+plan.Id.ValueString(), body, &now); err != nil {
		resp.Diagnostics.AddError("Could not update the cluster", err.Error())
		return
	}
	if err := r.client.waitCluster(now.Id, &now); err != nil {
		resp.Diagnostics.AddError("Cluster update failed", err.Error())
		return
	}
	var state clusterModel
	state.load(ctx, &now, plan.Regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *clusterResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state clusterModel
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.client.call("DELETE", "clusters/"+state.Id.ValueString(), nil, nil)
	if err != nil && statusOf(err) != 404 {
		resp.Diagnostics.AddError("Could not delete the cluster", err.Error())
	}
}

func (r *clusterResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

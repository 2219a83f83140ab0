// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"reflect"
	"sort"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

type keyModel struct {
	AuthPrincipal types.String `tfsdk:"auth_principal"`
	Type          types.String `tfsdk:"type"`
	Uri           types.String `tfsdk:"uri"`
	Status        types.String `tfsdk:"status"`
	UserMessage   types.String `tfsdk:"user_message"`
	CreatedAt     types.String `tfsdk:"created_at"`
	UpdatedAt     types.String `tfsdk:"updated_at"`
}

type cmekRegionModel struct {
	Region types.String `tfsdk:"region"`
	Status types.String `tfsdk:"status"`
	Key    keyModel     `tfsdk:"key"`
}

type cmekModel struct {
	Id                types.String      `tfsdk:"id"`
	Status            types.String      `tfsdk:"status"`
	Regions           []cmekRegionModel `tfsdk:"regions"`
	AdditionalRegions []regionModel     `tfsdk:"additional_regions"`
}

type cmekResource struct{ client *client }

func (r *cmekResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "cockroach_cmek"
}

func (r *cmekResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	computed, required := schema.StringAttribute{Computed: true}, schema.StringAttribute{Required: true}
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": schema.StringAttribute{Required: true,
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()}},
		"status": schema.StringAttribute{Optional: true, Computed: true},
		"regions": schema.ListNestedAttribute{Required: true, NestedObject: schema.NestedAttributeObject{
			Attributes: map[string]schema.Attribute{
				"region": required, "status": computed,
				"key": schema.SingleNestedAttribute{Required: true, Attributes: map[string]schema.Attribute{
					"auth_principal": required, "type": required, "uri": required,
					"status": computed, "user_message": computed, "created_at": computed, "updated_at": computed,
				}},
			}}},
		"additional_regions": regionAttribute(false, "that came after the keys"),
	}}
}

func (r *cmekResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	r.client, _ = req.ProviderData.(*client)
}

func specOf(m cmekRegionModel) regionSpec {
	name, kind, uri, principal := m.Region.ValueString(), m.Key.Type.ValueString(), m.Key.Uri.ValueString(),
		m.Key.AuthPrincipal.ValueString()
	return regionSpec{&name, &keySpec{&kind, &uri, &principal}}
}

// pick is the key that the state shows: the first one with the planned uri, for an import the first that is enabled.
func pick(keys []keyInfo, plan []cmekRegionModel, i int) keyInfo {
	for _, key := range keys {
		if len(plan) > 0 && *key.Spec.Uri == plan[i].Key.Uri.ValueString() {
			return key
		}
		if len(plan) == 0 && *key.Status == "ENABLED" {
			return key
		}
	}
	return keyInfo{}
}

func (m *cmekModel) load(now *cmekInfo, plan []cmekRegionModel) {
	order := map[string]int{}
	for i, region := range plan {
		order[region.Region.ValueString()] = i
	}
	infos := *now.RegionInfos
	sort.SliceStable(infos, func(i, j int) bool { return order[*infos[i].Region] < order[*infos[j].Region] })
	m.Regions = nil
	for i, info := range infos {
		key := pick(*info.KeyInfos, plan, i)
		m.Regions = append(m.Regions, cmekRegionModel{types.StringPointerValue(info.Region), types.StringPointerValue(info.Status),
			keyModel{types.StringPointerValue(key.Spec.AuthPrincipal), types.StringPointerValue(key.Spec.Type),
				types.StringPointerValue(key.Spec.Uri), types.StringPointerValue(key.Status),
				types.StringPointerValue(key.UserMessage), types.StringValue(key.CreatedAt.String()),
				types.StringValue(key.UpdatedAt.String())}})
	}
	m.Status = types.StringPointerValue(now.Status)
}

func (r *cmekResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan cmekModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &plan)...); resp.Diagnostics.HasError() {
		return
	}
	specs := []regionSpec{}
	for _, region := range plan.Regions {
		specs = append(specs, specOf(region))
	}
	id := plan.Id.ValueString()
	if err := r.client.enable(id, specs); err != nil {
		resp.Diagnostics.AddError("Could not enable CMEK", err.Error())
		return
	}
	var now cmekInfo
	if err := r.client.waitCmek(id, &now); err != nil {
		resp.Diagnostics.AddError("CMEK enable failed", err.Error())
		return
	}
	state := plan
	state.load(&now, plan.Regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *cmekResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state cmekModel
	var now cmekInfo
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	err := r.client.call("GET", "clusters/"+state.Id.ValueString()+"/cmek", nil, &now)
	if statusOf(err) == 404 {
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		resp.Diagnostics.AddError("Could not read CMEK", err.Error())
		return
	}
	state.load(&now, state.Regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

// addRegions tells the cluster of all its regions, with the keys of the new ones.
func (r *cmekResource) addRegions(id string, add []regionModel, specs []regionSpec) error {
	var now cluster
	if err := r.client.call("GET", "clusters/"+id, nil, &now); err != nil {
		return err
	}
	nodes := nodesOf(add)
	for _, region := range now.Regions {
		if _, ok := nodes[region.Name]; !ok {
			nodes[region.Name] = int64(region.NodeCount)
		}
	}
	body := map[string]any{"dedicated": map[string]any{"region_nodes": nodes, "cmek_region_specs": specs}}
	if err := r.client.call("PATCH", "clusters/"+id, body, &now); err != nil {
		return err
	}
	return r.client.waitCluster(id, &now)
}

func (r *cmekResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state cmekModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	before := map[string]regionSpec{}
	for _, region := range state.Regions {
		before[region.Region.ValueString()] = specOf(region)
	}
	changed, fresh := []regionSpec{}, []regionSpec{}
	for _, region := range plan.Regions {
		if old, ok := before[region.Region.ValueString()]; !ok {
			fresh = append(fresh, specOf(region))
		} else if !reflect.DeepEqual(old, specOf(region)) {
			changed = append(changed, specOf(region))
		}
	}
	id := plan.Id.ValueString()
	var err error
	if plan.Status.ValueString() == "REVOKED" {
		err = r.client.call("PATCH", "clusters/"+id+"/cmek", map[string]any{"action": "REVOKE"}, &cmekInfo{})
	}
	if err == nil && len(fresh) > 0 {
		err = r.addRegions(id, plan.AdditionalRegions, fresh)
	}
	if err == nil && len(changed) > 0 {
		err = r.client.call("PUT", "clusters/"+id+"/cmek", map[string]any{"region_specs": changed}, &cmekInfo{})
	}
	var now cmekInfo
	if err == nil {
		err = r.client.waitCmek(id, &now)
	}
	if err != nil {
		resp.Diagnostics.AddError("CMEK update failed", err.Error())
		return
	}
	regions := plan.Regions
	plan.load(&now, regions)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

// Delete: customer-managed keys cannot be disabled by this provider.
func (r *cmekResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func (r *cmekResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughID(ctx, path.Root("id"), req, resp)
}

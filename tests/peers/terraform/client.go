// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

const (
	cloudVersion = "2024-09-16"
	waitMin      = 500 * time.Millisecond
	waitMax      = 10 * time.Second
	waitBudget   = 5 * time.Minute
	grantBudget  = 10 * time.Minute // 400, 401, 403 to an enable: the grant may be on its way
)

type region struct {
	Name               string `json:"name"`
	SqlDns             string `json:"sql_dns"`
	UiDns              string `json:"ui_dns"`
	InternalDns        string `json:"internal_dns"`
	PrivateEndpointDns string `json:"private_endpoint_dns"`
	NodeCount          int32  `json:"node_count"`
	Primary            *bool  `json:"primary,omitempty"`
}

type cluster struct {
	Id               string `json:"id"`
	Name             string `json:"name"`
	CockroachVersion string `json:"cockroach_version"`
	UpgradeStatus    string `json:"upgrade_status"`
	Plan             string `json:"plan"`
	CloudProvider    string `json:"cloud_provider"`
	State            string `json:"state"`
	CreatorId        string `json:"creator_id"`
	OperationStatus  string `json:"operation_status"`
	Config           struct {
		Dedicated *struct {
			MachineType    string  `json:"machine_type"`
			NumVirtualCpus int32   `json:"num_virtual_cpus"`
			StorageGib     int32   `json:"storage_gib"`
			MemoryGib      float32 `json:"memory_gib"`
			DiskIops       int32   `json:"disk_iops"`
		} `json:"dedicated"`
	} `json:"config"`
	Regions           []region          `json:"regions"`
	CidrRange         string            `json:"cidr_range"`
	Labels            map[string]string `json:"labels"`
	CreatedAt         *time.Time        `json:"created_at"`
	UpdatedAt         *time.Time        `json:"updated_at"`
	DeletedAt         *time.Time        `json:"deleted_at"`
	DeleteProtection  *string           `json:"delete_protection"`
	NetworkVisibility *string           `json:"network_visibility"`
	ParentId          *string           `json:"parent_id"`
}

type keySpec struct {
	Type          *string `json:"type,omitempty"`
	Uri           *string `json:"uri,omitempty"`
	AuthPrincipal *string `json:"auth_principal,omitempty"`
}

type regionSpec struct {
	Region  *string  `json:"region,omitempty"`
	KeySpec *keySpec `json:"key_spec,omitempty"`
}

type keyInfo struct {
	Status      *string    `json:"status"`
	UserMessage *string    `json:"user_message"`
	Spec        *keySpec   `json:"spec"`
	CreatedAt   *time.Time `json:"created_at"`
	UpdatedAt   *time.Time `json:"updated_at"`
}

type regionInfo struct {
	Region   *string    `json:"region"`
	Status   *string    `json:"status"`
	KeyInfos *[]keyInfo `json:"key_infos"`
}

type cmekInfo struct {
	Status      *string       `json:"status"`
	RegionInfos *[]regionInfo `json:"region_infos"`
}

type backups struct {
	Enabled          bool  `json:"enabled"`
	RetentionDays    int32 `json:"retention_days"`
	FrequencyMinutes int32 `json:"frequency_minutes"`
}

// refusal is an answer of 300 and above.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.message) }

func statusOf(err error) int {
	if r, ok := err.(*refusal); ok {
		return r.status
	}
	return 0
}

type client struct{ server, key string }

var jsonType = regexp.MustCompile(`(?i:(?:application|text)/(?:vnd\.[^;]+\+)?json)`)

// call sends body, when there is one, and reads the answer into ret.
func (c *client) call(method, path string, body, ret any) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, c.server+"/api/v1/"+path, &text)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Cc-Version", cloudVersion)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if len(content) > 0 && !jsonType.MatchString(reply.Header.Get("Content-Type")) {
		return fmt.Errorf("undefined response type %q", reply.Header.Get("Content-Type"))
	}
	if reply.StatusCode >= 300 {
		var model map[string]any
		if err := json.Unmarshal(content, &model); err != nil {
			return fmt.Errorf("an error that is no JSON: %w", err)
		}
		return &refusal{reply.StatusCode, model["message"].(string)}
	}
	if ret == nil || len(content) == 0 {
		return nil
	}
	return json.Unmarshal(content, ret)
}

// wait calls look until it says that it is done, or fails.
func wait(look func() (bool, error)) error {
	end := time.Now().Add(waitBudget)
	for pause := waitMin; ; pause = min(2*pause, waitMax) {
		if done, err := look(); done || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("timeout")
		}
		time.Sleep(pause)
	}
}

func (c *client) waitCluster(id string, ret *cluster) error {
	return wait(func() (bool, error) {
		var now cluster
		if err := c.call("GET", "clusters/"+id, nil, &now); err != nil {
			if s := statusOf(err); s != 0 && s < 500 {
				return false, err
			}
			return false, nil
		}
		*ret = now
		if now.State == "CREATION_FAILED" || now.State == "DELETED" {
			return false, fmt.Errorf("cluster is %s", now.State)
		}
		return now.State == "CREATED", nil
	})
}

func (c *client) waitCmek(id string, ret *cmekInfo) error {
	return wait(func() (bool, error) {
		var now cmekInfo
		if err := c.call("GET", "clusters/"+id+"/cmek", nil, &now); err != nil {
			if s := statusOf(err); s != 0 && s < 500 {
				return false, err
			}
			return false, nil
		}
		*ret = now
		for _, r := range *now.RegionInfos {
			switch *r.Status {
			case "ENABLED", "DISABLED", "REVOKED":
			case "ENABLE_FAILED", "DISABLE_FAILED", "REVOKE_FAILED", "ROTATE_FAILED":
				return false, fmt.Errorf("cmek update failed")
			default:
				return false, nil
			}
		}
		return true, nil
	})
}

// enable asks again while the grant may be on its way, and waits for the cluster while it is busy.
func (c *client) enable(id string, specs []regionSpec) error {
	end := time.Now().Add(grantBudget)
	for pause := waitMin; ; pause = min(2*pause, waitMax) {
		err := c.call("POST", "clusters/"+id+"/cmek", map[string]any{"region_specs": specs}, &cmekInfo{})
		switch statusOf(err) {
		case 400, 401, 403:
			if time.Now().After(end) {
				return err
			}
			time.Sleep(pause)
		case 503:
			if err := c.waitCluster(id, &cluster{}); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

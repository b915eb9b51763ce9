// The peer of this benchmark: go-control-plane's delta server over one
// LinearCache for each type, with the same commands and records as server.cc.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// In the order of xds::ResourceType.
var kinds = []struct {
	url  string
	make func() proto.Message
}{
	{"type.googleapis.com/envoy.config.cluster.v3.Cluster", func() proto.Message { return &cluster.Cluster{} }},
	{"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", func() proto.Message { return &endpoint.ClusterLoadAssignment{} }},
	{"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", func() proto.Message { return &tls.Secret{} }},
	{"type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", func() proto.Message { return &core.TypedExtensionConfig{} }},
	{"type.googleapis.com/envoy.config.listener.v3.FilterChain", func() proto.Message { return &listener.FilterChain{} }},
	{"type.googleapis.com/envoy.config.listener.v3.Listener", func() proto.Message { return &listener.Listener{} }},
	{"type.googleapis.com/envoy.config.route.v3.RouteConfiguration", func() proto.Message { return &route.RouteConfiguration{} }},
}

type change struct {
	put    map[string]types.Resource
	remove []string
}

// Reads a file of records: a change for each type.
func read(path string) ([]change, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	changes := make([]change, len(kinds))
	for at := 0; at < len(bytes); {
		if len(bytes)-at < 10 || int(bytes[at+1]) >= len(kinds) {
			return nil, fmt.Errorf("%s: a record that is none", path)
		}
		remove, kind := bytes[at] == 2, int(bytes[at+1])
		name := int(binary.LittleEndian.Uint32(bytes[at+2:]))
		content := int(binary.LittleEndian.Uint32(bytes[at+6:]))
		at += 10
		if len(bytes)-at < name+content {
			return nil, fmt.Errorf("%s: cut off", path)
		}
		named := string(bytes[at : at+name])
		if remove {
			changes[kind].remove = append(changes[kind].remove, named)
		} else {
			message := kinds[kind].make()
			if err := proto.Unmarshal(bytes[at+name:at+name+content], message); err != nil {
				return nil, err
			}
			if changes[kind].put == nil {
				changes[kind].put = map[string]types.Resource{}
			}
			changes[kind].put[named] = message
		}
		at += name + content
	}
	return changes, nil
}

func answer(value map[string]any) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: peer ADDRESS")
	}
	caches := map[string]cache.Cache{}
	linear := make([]*cache.LinearCache, len(kinds))
	for i, kind := range kinds {
		linear[i] = cache.NewLinearCache(kind.url)
		caches[kind.url] = linear[i]
	}
	mux := &cache.MuxCache{
		Classify:      func(r *cache.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cache.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        caches,
	}
	socket, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	grpcServer := grpc.NewServer(grpc.MaxConcurrentStreams(1000000))
	discovery.RegisterAggregatedDiscoveryServiceServer(
		grpcServer, server.NewServer(context.Background(), mux, nil))
	go func() { log.Fatal(grpcServer.Serve(socket)) }()
	answer(map[string]any{"port": socket.Addr().(*net.TCPAddr).Port})

	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		command := map[string]any{}
		if err := json.Unmarshal(input.Bytes(), &command); err != nil {
			log.Fatal(err)
		}
		if _, ok := command["live"]; ok {
			runtime.GC()
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			answer(map[string]any{"bytes": stats.HeapAlloc + stats.StackInuse})
			continue
		}
		path, whole := command["whole"].(string)
		if !whole {
			path, _ = command["publish"].(string)
		}
		changes, err := read(path)
		if err != nil {
			log.Fatal(err)
		}
		at := time.Now().UnixNano()
		for i, c := range changes {
			if whole {
				linear[i].SetResources(c.put)
			} else if len(c.put)+len(c.remove) > 0 {
				if err := linear[i].UpdateResources(c.put, c.remove); err != nil {
					log.Fatal(err)
				}
			}
		}
		answer(map[string]any{"at": at})
	}
}

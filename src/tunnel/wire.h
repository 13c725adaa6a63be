#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "grpc/call.h"
#include "proto/prototool.pb.h"
#include "proto/reverse_tunnel.pb.h"

namespace towline::tunnel {

namespace rpc = ::gitlab::agent::reverse_tunnel::rpc;

/// Field numbers of the hot branches (reverse_tunnel.proto): {3: {1: data}} to the server, {2: {1: data}}
/// back.
inline constexpr std::uint32_t kRequestMessage = 3;
inline constexpr std::uint32_t kResponseMessage = 2;
inline constexpr std::uint32_t kMessageData = 1;

using MetaMap = google::protobuf::Map<std::string, ::gitlab::agent::prototool::Values>;

void to_map(const grpc::Metadata& metadata, MetaMap& map);
grpc::Metadata from_map(const MetaMap& map);

}  // namespace towline::tunnel

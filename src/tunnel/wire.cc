#include "tunnel/wire.h"

namespace towline::tunnel {

void to_map(const grpc::Metadata& metadata, MetaMap& map) {
  for (const auto& [name, value] : metadata) map[std::string(name)].add_value(std::string(value));
}

grpc::Metadata from_map(const MetaMap& map) {
  grpc::Metadata metadata;
  for (const auto& [name, values] : map) {
    for (const std::string& value : values.value()) metadata.add(name, value);
  }
  return metadata;
}

}  // namespace towline::tunnel

#include "controller/core/store.h"

namespace regent::controller {

int ZooKeeperOps(const StoreOp& op) {
  const auto* create = std::get_if<CreatePartitionState>(&op);
  return create != nullptr && create->with_directory ? 2 : 1;
}

}  // namespace regent::controller

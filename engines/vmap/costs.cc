#include "engines/vmap/costs.h"

#include "engines/base/clock.h"

namespace daxlab::vmap {

CostMeter::Charge::Charge(CostMeter& meter, uint32_t call_instructions, uint32_t page_instructions, uint32_t pages)
    : meter_(meter),
      instructions_(call_instructions + uint64_t{page_instructions} * pages),
      before_(t_vmap_events),
      began_ticks_(ticks()) {}

CostMeter::Charge::~Charge() {
  const KernelCosts& costs = meter_.costs_;
  const VmapEvents& now = t_vmap_events;
  const uint64_t instructions =
      instructions_ + (now.blocks_made - before_.blocks_made) * costs.block_made +
      (now.areas_made - before_.areas_made) * costs.area_made + (now.tables_made - before_.tables_made) * costs.table_made +
      (now.blocks_freed - before_.blocks_freed) * costs.block_freed + (now.areas_freed - before_.areas_freed) * costs.area_freed +
      (now.purges - before_.purges) * costs.purge + (now.flushes - before_.flushes) * costs.flush;
  const double shootdowns_ns = meter_.cpus_ > 1 ? static_cast<double>(now.flushes - before_.flushes) * costs.shootdown_ns : 0;
  const double cost_ns = (static_cast<double>(instructions) * costs.ns_per_instruction + shootdowns_ns) * meter_.scale_;
  meter_.charged_ns_.fetch_add(static_cast<uint64_t>(cost_ns), std::memory_order_relaxed);
  const auto until = static_cast<uint64_t>(cost_ns / ns_per_tick());
  while (ticks() - began_ticks_ < until) __builtin_ia32_pause();
}

}  // namespace daxlab::vmap

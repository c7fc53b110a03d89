// The engines that this room's parts make of the core. Registered, each by one `const RegisterEngine<xfslike::PresetType>`, once the core's
// own engines pass the suites.
#pragma once

#include "engines/xfslike/presets.h"

namespace daxlab::retrofit {

/// The log alone retrofitted.
xfslike::Preset log_direct_preset();
/// The rewritten xlog_write(), and discontiguity handled everywhere.
xfslike::Preset retrofit_preset();

}  // namespace daxlab::retrofit

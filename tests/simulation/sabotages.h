// Six broken servers, each made by putting a broken part in at an interface: what the checks have
// to find within a thousand seeds.
//
// Threading: plain values.
#pragma once

#include "tests/simulation/world.h"

namespace rowhouse {

// Reports records as written and writes them with the next ones.
Sabotage AcknowledgeBeforeLogWrite();
// Nothing is written again after a sync that failed: the next one that succeeds is believed.
Sabotage SyncTrustedAfterAFailedOne();
// The bookkeeping reaches the disk without the clients.
Sabotage DedupWindowNotPersisted();
// The bookkeeping tells a watermark above the rows.
Sabotage WatermarkAheadOfRows();
// Rows come back from the disk without their LSNs.
Sabotage ReplayIgnoresRowLsns();
// Clients' pushes bear no mark: each shard puts its own on its part.
Sabotage CheckpointWithoutMarks();

}  // namespace rowhouse

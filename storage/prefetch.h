// Software prefetch that survives the optimizer: g++ 12 takes a function (or lambda) whose only
// effect is a prefetch for one without effects and deletes the call. Inlined first, it is kept.
//
//   ROWHOUSE_PREFETCHES void PrefetchRow(...) { __builtin_prefetch(...); }
#pragma once

#define ROWHOUSE_PREFETCHES [[gnu::always_inline]] inline

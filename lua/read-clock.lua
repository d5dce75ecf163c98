-- Reads Redis's clock on the node that has the keys of the queue.
--
-- KEYS stream
-- Reply unix ms

-- @include lib/time

return decimal(now_ms())

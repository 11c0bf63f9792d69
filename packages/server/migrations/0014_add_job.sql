-- A job that exists if and only if the rest of the statement or transaction does. While a worker takes the waiting job with
-- the same key graphile's own function adds nothing at all; asked again it sees that job under way, and adds another. Each
-- further try takes one more worker to do so just then.
create function tollgate.add_job(
  identifier text, payload json, queue_name text, run_at timestamptz,
  max_attempts integer, job_key text, priority integer, job_key_mode text
) returns void language plpgsql as $$
begin
  for attempt in 1..20 loop
    if (graphile_worker.add_job(
      identifier, payload, queue_name, run_at, max_attempts, job_key, priority, null, job_key_mode
    )).id is not null then
      return;
    end if;
  end loop;
  raise exception 'The job % (%) could not be added.', identifier, job_key;
end $$;

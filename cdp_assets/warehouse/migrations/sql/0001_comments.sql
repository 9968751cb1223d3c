-- What columns mean, shown in the Dagster UI. Columns whose name says all have no comment.
do $$
declare
    target record;
begin
    for target in
        select c.oid::regclass as relation, a.attname, d.description
        from (values
            ('tenant_id', 'Tenant; first part of every key'),
            ('landed_at', 'When the row first came into the warehouse'),
            ('changed_at', 'When the warehouse last wrote the row; unchanged rows are not written'),
            ('deleted_at', 'When the document was found gone from the source; null: it is there'),
            ('content_hash', 'Hash of the stored document and the contract''s version'),
            ('metadata', 'Source document, without secrets and without attributes that only restate others'),
            ('context_data', 'Source document (conversion edge), without secrets'),
            ('created_at', 'LEO''s createdAt'),
            ('updated_at', 'LEO''s updatedAt; misses most changes that LEO makes'),
            ('source_profile_id', 'Profile that the document names'),
            ('root_profile_id', 'Profile that speaks for this one: itself, or the winner at the end of the merges'),
            ('merged_into', 'Winner of the merge that LEO recorded'),
            ('full_name', 'First, middle and last name, whichever there are'),
            ('email', 'Lower case; null when absent or not an e-mail address (then in ops.quarantine)'),
            ('phone', 'E.164; null when absent or not a phone number (then in ops.quarantine)'),
            ('age', 'Years as LEO has it; null for its 0'),
            ('data_context', 'production, test or fake'),
            ('segment_ids', 'Segments of inSegments; members are in cdp.profile_segment'),
            ('receive_email', '1 agreed, 0 unset, -1 refused; decisions over merges are in cdp.consent'),
            ('receive_sms', '1 agreed, 0 unset, -1 refused'),
            ('receive_web_push', '1 agreed, 0 unset, -1 refused'),
            ('receive_app_push', '1 agreed, 0 unset, -1 refused'),
            ('receive_ads', '1 agreed (LEO''s default), 0 unset, -1 refused'),
            ('reported_size', 'Members as LEO last counted them'),
            ('transaction_id', 'Order; null when LEO has none'),
            ('txn_status', 'completed, pending, cancelled or refunded, from the order''s newest tracking event'),
            ('amount', 'The line: quantity times price, in currency'),
            ('transaction_status', 'LEO''s free text'),
            ('order_status', 'transaction_status in our words; null when it says nothing known'),
            ('transaction_value', 'The order''s total, in currency'),
            ('is_live', 'Tracked live; false: imported'),
            ('event_at', 'LEO''s createdAt: when it happened'),
            ('joined_at', 'When a sync first saw the profile in the segment'),
            ('left_at', 'When a sync first missed it there; null: still a member'),
            ('decision', 'granted, denied or unset'),
            ('decided_by', 'Profiles of the merge whose refusal (or agreement) decided'),
            ('freq_90d', 'Orders within 90 days'),
            ('orders_without_rate', 'Orders in a currency that cannot be converted: not in the money'),
            ('avg_order_value', 'Mean of orders above zero, in currency'),
            ('monetary_90d', 'Paid within 90 days net of refunds, in currency'),
            ('clv_est', 'Estimated lifetime value less acquisition cost, in currency'),
            ('experience_score', 'Recency, basket and frequency, -60 to 100')
        ) as d (attname, description)
        inner join pg_attribute as a on a.attname = d.attname and a.attnum > 0 and not a.attisdropped
        inner join pg_class as c on c.oid = a.attrelid and c.relkind = 'r'
        inner join pg_namespace as n on n.oid = c.relnamespace and n.nspname = 'cdp'
    loop
        execute format('comment on column %s.%I is %L', target.relation, target.attname, target.description);
    end loop;
    comment on column cdp.product_item.metadata is 'Source document without LEO''s counters and times of saving';
    comment on column cdp.tracking_event.cdp_profile_id is 'Owner today: follows merges';
    comment on column cdp.transactional_context.cdp_profile_id is 'Owner today: follows merges';
    comment on column cdp.feedback.cdp_profile_id is 'Author today: follows merges';
end
$$;

-- The shop of a tenant: its own database, schema public. Times are naive, in the zone of the shop.

create function touch_updated_at() returns trigger
language plpgsql
as $$
begin
    -- A statement that sets the time itself keeps it: imports and repairs bring times of their own.
    if new.updated_at is not distinct from old.updated_at then
        new.updated_at := now();
    end if;
    return new;
end
$$;

create table categories (
    id serial primary key,
    name varchar(100) not null,
    parent_id integer references categories,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table promotions (
    id serial primary key,
    code varchar(50) not null unique,
    name varchar(255) not null,
    discount_percent numeric(5, 2) not null,
    starts_at timestamp not null,
    ends_at timestamp not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table customers (
    id serial primary key,
    name varchar(255) not null,
    -- the index tells capitals from small letters, so one address may have two accounts
    email varchar(255) not null unique,
    phone varchar(50),
    address text,
    crm_id varchar(64),
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table products (
    id serial primary key,
    sku varchar(64) not null unique,
    name varchar(255) not null,
    description text,
    price numeric(12, 2) not null,
    currency varchar(3) not null,
    category varchar(100),
    -- no foreign key, as in many a grown shop: one product names a category that is gone
    category_id integer,
    brand varchar(100),
    stock_quantity integer not null default 0,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table orders (
    id serial primary key,
    order_number varchar(100) not null unique,
    customer_id integer not null references customers,
    order_date timestamp not null default now(),
    status varchar(50) not null default 'pending',
    channel varchar(20),
    currency varchar(3) not null,
    total_amount numeric(14, 2) not null,
    promotion_id integer references promotions,
    shipping_address text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table order_items (
    id serial primary key,
    order_id integer not null references orders,
    product_id integer not null references products,
    quantity integer not null,
    unit_price numeric(12, 2) not null,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create table reviews (
    id serial primary key,
    product_id integer not null references products,
    customer_id integer not null references customers,
    rating smallint not null,
    title varchar(255),
    comment text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

-- A log: it outlives what it names, so it has no foreign keys.
create table events (
    id bigserial primary key,
    customer_id integer,
    visitor_id varchar(64),
    session_id varchar(64),
    event_type varchar(50) not null,
    product_id integer,
    order_id integer,
    event_time timestamp not null,
    url text,
    created_at timestamp not null default now(),
    updated_at timestamp not null default now()
);

create index products_category_id on products (category_id);
create index orders_customer_id on orders (customer_id);
create index orders_promotion_id on orders (promotion_id);
create index orders_status on orders (status);
create index order_items_order_id on order_items (order_id);
create index order_items_product_id on order_items (product_id);
create index reviews_product_id on reviews (product_id);
create index reviews_customer_id on reviews (customer_id);

create index categories_updated_at on categories (updated_at);
create index promotions_updated_at on promotions (updated_at);
create index customers_updated_at on customers (updated_at);
create index products_updated_at on products (updated_at);
create index orders_updated_at on orders (updated_at);
create index order_items_updated_at on order_items (updated_at);
create index reviews_updated_at on reviews (updated_at);
create index events_updated_at on events (updated_at);

create trigger touch before update on categories for each row execute function touch_updated_at();
create trigger touch before update on promotions for each row execute function touch_updated_at();
create trigger touch before update on customers for each row execute function touch_updated_at();
create trigger touch before update on products for each row execute function touch_updated_at();
create trigger touch before update on orders for each row execute function touch_updated_at();
create trigger touch before update on order_items for each row execute function touch_updated_at();
create trigger touch before update on reviews for each row execute function touch_updated_at();
create trigger touch before update on events for each row execute function touch_updated_at();

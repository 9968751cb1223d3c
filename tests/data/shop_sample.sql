-- A small shop as many start: four tables, no optional columns. 5 customers, 10 products, 7 orders of January and
-- February 2026 with 15 items. The totals of three orders disagree with their items (total_amount - sum of quantity *
-- unit_price): order 3 by +0.02, order 6 by -5.00, order 7 by +0.01.

create table customers (
    id serial primary key,
    name varchar(255) not null,
    email varchar(255) not null unique,
    phone varchar(50),
    address text,
    created_at timestamp default now(),
    updated_at timestamp default now()
);

create table products (
    id serial primary key,
    name varchar(255) not null,
    description text,
    price numeric(12, 2) not null,
    category varchar(100),
    stock_quantity integer default 0,
    created_at timestamp default now(),
    updated_at timestamp default now()
);

create table orders (
    id serial primary key,
    customer_id integer not null references customers,
    order_date timestamp default now(),
    status varchar(50) default 'pending',
    total_amount numeric(14, 2),
    shipping_address text,
    created_at timestamp default now(),
    updated_at timestamp default now()
);

create table order_items (
    id serial primary key,
    order_id integer not null references orders,
    product_id integer not null references products,
    quantity integer not null,
    unit_price numeric(12, 2) not null,
    created_at timestamp default now(),
    updated_at timestamp default now()
);

create index orders_customer_id on orders (customer_id);
create index orders_status on orders (status);
create index order_items_order_id on order_items (order_id);
create index order_items_product_id on order_items (product_id);
create index customers_updated_at on customers (updated_at);
create index products_updated_at on products (updated_at);
create index orders_updated_at on orders (updated_at);

create function touch_updated_at() returns trigger
language plpgsql
as $$
begin
    if new.updated_at is not distinct from old.updated_at then
        new.updated_at := now();
    end if;
    return new;
end
$$;

create trigger touch before update on customers for each row execute function touch_updated_at();
create trigger touch before update on products for each row execute function touch_updated_at();
create trigger touch before update on orders for each row execute function touch_updated_at();
create trigger touch before update on order_items for each row execute function touch_updated_at();

insert into customers (id, name, email, phone, address, created_at, updated_at) values
(1, 'Hanna Lindqvist', 'hanna.lindqvist@example.com', '+46 70 123 45 67', 'Storgatan 4, Lund', '2026-01-03 09:12:00', '2026-01-03 09:12:00'),
(2, 'Trần Minh Khoa', 'khoa.tran@example.com', '0903 555 121', '18 Lê Lợi, Đà Nẵng', '2026-01-05 14:40:00', '2026-01-21 08:05:00'),
(3, 'Grace Okafor', 'grace.okafor@example.org', '+1 512 555 0144', '77 Oak Avenue, Austin', '2026-01-09 17:30:00', '2026-01-09 17:30:00'),
(4, 'Paul Verhoeven', 'paul.verhoeven@example.net', null, 'Keizersgracht 210, Amsterdam', '2026-01-15 11:00:00', '2026-02-02 10:10:00'),
(5, 'Lê Thu Hà', 'ha.le@example.com', '+84 91 222 33 44', '5 Trần Hưng Đạo, Hà Nội', '2026-01-28 20:15:00', '2026-01-28 20:15:00');

insert into products (id, name, description, price, category, stock_quantity, created_at, updated_at) values
(1, 'Wireless keyboard', 'Full size, quiet keys', 49.90, 'Electronics', 40, '2026-01-01 08:00:00', '2026-02-03 15:00:00'),
(2, 'Optical mouse', 'Three buttons', 19.95, 'Electronics', 85, '2026-01-01 08:00:00', '2026-02-10 09:30:00'),
(3, '27 inch monitor', 'IPS, 1440 lines', 289.00, 'Electronics', 12, '2026-01-01 08:00:00', '2026-01-12 10:20:00'),
(4, 'Docking station', 'Two screens, 90 W', 129.50, 'Electronics', 20, '2026-01-01 08:00:00', '2026-01-01 08:00:00'),
(5, 'Standing desk', 'Oak, 140 x 70 cm', 459.00, 'Furniture', 6, '2026-01-01 08:00:00', '2026-01-20 16:45:00'),
(6, 'Office chair', 'Mesh back', 219.00, 'Furniture', 9, '2026-01-01 08:00:00', '2026-01-20 16:45:00'),
(7, 'Bookshelf', 'Five boards', 89.99, 'Furniture', 15, '2026-01-01 08:00:00', '2026-01-01 08:00:00'),
(8, 'Copy paper', '500 sheets, A4', 5.49, 'Office Supplies', 300, '2026-01-01 08:00:00', '2026-02-10 09:30:00'),
(9, 'Ballpoint pens', 'Box of 20', 7.25, 'Office Supplies', 120, '2026-01-01 08:00:00', '2026-02-03 15:00:00'),
(10, 'Stapler', 'With 1,000 staples', 11.80, 'Office Supplies', 60, '2026-01-01 08:00:00', '2026-01-01 08:00:00');

insert into orders (id, customer_id, order_date, status, total_amount, shipping_address, created_at, updated_at) values
-- 289.00 + 2 * 19.95
(1, 1, '2026-01-12 10:20:00', 'completed', 328.90, 'Storgatan 4, Lund', '2026-01-12 10:20:00', '2026-01-16 12:00:00'),
-- 459.00 + 219.00
(2, 2, '2026-01-20 16:45:00', 'completed', 678.00, '18 Lê Lợi, Đà Nẵng', '2026-01-20 16:45:00', '2026-01-25 09:00:00'),
-- 3 * 5.49 + 2 * 7.25 = 30.97; the total says 0.02 more
(3, 3, '2026-01-22 13:05:00', 'shipped', 30.99, '77 Oak Avenue, Austin', '2026-01-22 13:05:00', '2026-01-23 18:30:00'),
-- 49.90 + 7.25
(4, 1, '2026-02-03 15:00:00', 'processing', 57.15, 'Storgatan 4, Lund', '2026-02-03 15:00:00', '2026-02-03 16:00:00'),
-- 89.99
(5, 4, '2026-02-06 11:11:00', 'cancelled', 89.99, 'Keizersgracht 210, Amsterdam', '2026-02-06 11:11:00', '2026-02-07 08:00:00'),
-- 129.50 + 10 * 5.49 + 11.80 = 196.20; the total says 5.00 less
(6, 5, '2026-02-10 09:30:00', 'shipped', 191.20, '5 Trần Hưng Đạo, Hà Nội', '2026-02-10 09:30:00', '2026-02-11 14:20:00'),
-- 19.95 + 2 * 49.90 + 4 * 7.25 = 148.75; the total says 0.01 more
(7, 2, '2026-02-14 19:50:00', 'pending', 148.76, '18 Lê Lợi, Đà Nẵng', '2026-02-14 19:50:00', '2026-02-14 19:50:00');

insert into order_items (id, order_id, product_id, quantity, unit_price, created_at, updated_at) values
(1, 1, 3, 1, 289.00, '2026-01-12 10:20:00', '2026-01-12 10:20:00'),
(2, 1, 2, 2, 19.95, '2026-01-12 10:20:00', '2026-01-12 10:20:00'),
(3, 2, 5, 1, 459.00, '2026-01-20 16:45:00', '2026-01-20 16:45:00'),
(4, 2, 6, 1, 219.00, '2026-01-20 16:45:00', '2026-01-20 16:45:00'),
(5, 3, 8, 3, 5.49, '2026-01-22 13:05:00', '2026-01-22 13:05:00'),
(6, 3, 9, 2, 7.25, '2026-01-22 13:05:00', '2026-01-22 13:05:00'),
(7, 4, 1, 1, 49.90, '2026-02-03 15:00:00', '2026-02-03 15:00:00'),
(8, 4, 9, 1, 7.25, '2026-02-03 15:00:00', '2026-02-03 15:00:00'),
(9, 5, 7, 1, 89.99, '2026-02-06 11:11:00', '2026-02-06 11:11:00'),
(10, 6, 4, 1, 129.50, '2026-02-10 09:30:00', '2026-02-10 09:30:00'),
(11, 6, 8, 10, 5.49, '2026-02-10 09:30:00', '2026-02-10 09:30:00'),
(12, 6, 10, 1, 11.80, '2026-02-10 09:30:00', '2026-02-10 09:30:00'),
(13, 7, 2, 1, 19.95, '2026-02-14 19:50:00', '2026-02-14 19:50:00'),
(14, 7, 1, 2, 49.90, '2026-02-14 19:50:00', '2026-02-14 19:50:00'),
(15, 7, 9, 4, 7.25, '2026-02-14 19:50:00', '2026-02-14 19:50:00');

select setval('customers_id_seq', 5);
select setval('products_id_seq', 10);
select setval('orders_id_seq', 7);
select setval('order_items_id_seq', 15);

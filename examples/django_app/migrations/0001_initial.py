"""The tables of the shop, and the outbox beside them."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

from examples.django_app.notify import outbox

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar[list] = []
    operations: ClassVar[list] = [
        migrations.CreateModel("Customer", [("id", ID), ("email", models.EmailField(max_length=254, blank=True))]),
        migrations.CreateModel(
            "Order",
            [
                ("id", ID),
                ("number", models.IntegerField(unique=True)),
                ("customer", models.ForeignKey("django_app.Customer", on_delete=django.db.models.deletion.CASCADE)),
            ],
        ),
        migrations.RunSQL(outbox.schema, f"DROP TABLE {outbox.table}"),
    ]

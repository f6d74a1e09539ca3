from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0007_differences"),
    ]

    operations = [
        migrations.AddField(
            model_name="link",
            name="batch_most",
            field=models.IntegerField(blank=True, null=True),
        ),
    ]
